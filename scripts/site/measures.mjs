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

/** A variant's model and the setting it was trained in: "ViT" and "600 images" of "ViT, 600 images". */
function partsOf(variant) {
  const [model, ...setting] = variant.split(", ");
  return [model, setting.join(", ")];
}

const variantOf = (model, setting) => (setting === "" ? model : `${model}, ${setting}`);

/** The baseline in a variant's setting, where it was trained in it; else the baseline itself. */
export function baselineOf(variant, baseline, variants) {
  const alike = variantOf(baseline, partsOf(variant)[1]);
  return variants.includes(alike) ? alike : baseline;
}

/** More series than there are colors are told apart by no one. */
const MOST_SERIES = 6;

/**
 * Bars with intervals: by metric, or where one metric has layers, by layer; with many variants by variant. Variants that
 * lack one of them are left out.
 */
export function barsOf(rows, figure) {
  const { title, yTitle, metrics } = figure;
  if (figure.models) return settingBars(rows, figure);
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

/**
 * A few models side by side in each setting that all of them were trained in; `plain` names the one that no variant
 * names, and what was followed over epochs is none. Of a metric with layers, the last ViT block's.
 */
function settingBars(rows, { title, yTitle, metrics: [metric], models, plain }) {
  const settings = distinct(rows, "variant")
    .map(partsOf)
    .filter(([model, setting]) => models.includes(model) && !setting.startsWith("epoch "))
    .map(([, setting]) => setting);
  const shown = [...new Set(settings)]
    .map((setting) => ({ name: setting || plain, means: models.map((model) => meanIn(model, setting)) }))
    .filter(({ means }) => !means.includes(undefined));
  const series = models.map((model, i) =>
    bars(
      model,
      shown.map(({ means }) => means[i]),
    ),
  );
  const categories = shown.map(({ name }) => name);
  return figureHtml(figures.barComparison({ title, yTitle, categories, series, width: 800 }));

  function meanIn(model, setting) {
    const variant = variantOf(model, setting);
    return meanOf(rows, variant, metric, lastBlock(rows, variant));
  }
}

/** Rows have the layers in their order. */
function lastBlock(rows, variant) {
  const layers = distinct(
    rows.filter((row) => row.variant === variant),
    "layer",
  );
  return layers.filter((layer) => /^blocks\.\d+$/.test(layer)).at(-1);
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
