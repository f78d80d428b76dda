import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { analysis, figures, io } = require("../../dist/index.js");
const { figureHtml } = require("../../dist/figures/interactive/figureHtml.js");

/** The rows of a study's table: variant, seed, metric, layer, value, epochs, commit, machine. */
export async function readRows(file) {
  return (await io.readTable(file)).toArray().map((row) => row.toJSON());
}

export const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))];

const valuesOf = (rows, variant, metric, layer) =>
  rows.filter((row) => row.variant === variant && row.metric === metric && row.layer === layer);

/** What one variant measured: its mean over seeds with 99 % intervals; undefined where it measured nothing. */
export function meanOf(rows, variant, metric, layer) {
  const values = valuesOf(rows, variant, metric, layer).map(({ value }) => value);
  return values.length > 0 && values.every(Number.isFinite) ? analysis.seedStatistics(values) : undefined;
}

/** The difference between two variants, seed by seed, where at least two seeds pair. */
export function differenceOf(rows, variant, baseline, metric, layer) {
  const others = new Map(valuesOf(rows, baseline, metric, layer).map(({ seed, value }) => [seed, value]));
  const pairs = valuesOf(rows, variant, metric, layer)
    .filter(({ seed }) => others.has(seed))
    .map(({ seed, value }) => value - others.get(seed));
  return pairs.length > 1 && pairs.every(Number.isFinite) ? analysis.seedStatistics(pairs) : undefined;
}

/** More series than there are colors are told apart by no one. */
const MOST_SERIES = 6;

/**
 * Bars with intervals: by metric, or where one metric has layers, by layer; with many variants by variant. Variants that
 * lack one of them are left out.
 */
export function barsOf(rows, { title, yTitle, metrics }) {
  const places = metrics.flatMap((metric) => placesOf(rows, metric));
  const variants = distinct(rows, "variant")
    .map((name) => ({ name, means: places.map(({ metric, layer }) => meanOf(rows, name, metric, layer)) }))
    .filter(({ means }) => means.length > 0 && !means.includes(undefined));
  if (variants.length === 0) return "";
  const names = variants.map(({ name }) => name);
  const labels = places.map(({ label }) => label);
  const byVariant = variants.length > MOST_SERIES;
  const series = byVariant
    ? labels.map((name, i) =>
        bars(
          name,
          variants.map(({ means }) => means[i]),
        ),
      )
    : variants.map(({ name, means }) => bars(name, means));
  const categories = byVariant ? names : labels;
  return figureHtml(figures.barComparison({ title, yTitle, categories, series, width: 800 }));
}

/** Where a metric was measured: in the whole model, or else in each of its layers. */
function placesOf(rows, metric) {
  const layers = distinct(
    rows.filter((row) => row.metric === metric),
    "layer",
  );
  if (layers.includes(null)) return [{ metric, layer: null, label: metric }];
  return layers.map((layer) => ({ metric, layer, label: layer }));
}

function bars(name, means) {
  const errors = means.map(({ halfWidth }) => (Number.isNaN(halfWidth) ? 0 : halfWidth));
  return { name, values: means.map(({ mean }) => mean), errors };
}
