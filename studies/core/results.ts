import type { Table } from "apache-arrow";
import { seedStatistics } from "../../src/analysis/statistics";
import { textTable } from "../../src/core/textTable";
import { tableOf } from "../../src/io/tables";
import type { Done } from "./run";

/** A row per measure: variant, seed, metric, layer, value, epochs, seconds, commit, machine. */
export function resultsTable(done: readonly Done[]): Table {
  const rows = done.flatMap(({ measures, ...about }) =>
    measures.map((measure) => ({ ...about, ...measure })),
  );
  return tableOf({
    variant: rows.map(({ variant }) => variant),
    seed: rows.map(({ seed }) => seed),
    metric: rows.map(({ metric }) => metric),
    layer: rows.map(({ layer }) => layer ?? null),
    value: rows.map(({ value }) => value),
    epochs: rows.map(({ size }) => size.epochs),
    seconds: rows.map(({ seconds }) => seconds ?? null),
    commit: rows.map(({ commit }) => commit),
    machine: rows.map(({ machine }) => machine),
  });
}

/** Values by seed. */
type BySeed = ReadonlyMap<number, number>;

/**
 * Means over seeds with 99 % intervals, and each variant's difference from the baseline, seed by seed. A difference whose
 * interval holds 0 is none that was seen.
 */
export function resultsText(done: readonly Done[], baseline: string): string {
  const found = new Map<string, Map<string, Map<number, number>>>();
  for (const { seed, measures } of done) {
    for (const { variant, metric, layer, value } of measures) {
      const name = layer === undefined ? metric : `${metric}, ${layer}`;
      const variants = found.get(name) ?? new Map();
      const values = variants.get(variant) ?? new Map();
      found.set(name, variants.set(variant, values.set(seed, value)));
    }
  }
  const lines = [...found].flatMap(([metric, variants]) =>
    [...variants].map(([variant, values]) => {
      const others = variant === baseline ? undefined : variants.get(baseline);
      return [metric, variant, mean([...values.values()]), others ? difference(values, others) : "–"];
    }),
  );
  return textTable(["measure", "variant", "mean ± 99 %", `difference from ${baseline}`], lines);
}

function mean(values: readonly number[]): string {
  const { n, mean, halfWidth } = seedStatistics(values);
  return n === 1 ? rounded(mean) : `${rounded(mean)} ± ${rounded(halfWidth)}`;
}

function difference(values: BySeed, baseline: BySeed): string {
  const pairs = [...values].flatMap(([seed, value]) =>
    baseline.has(seed) ? [value - baseline.get(seed)!] : [],
  );
  if (pairs.length < 2) return "–";
  const { mean, halfWidth, interval } = seedStatistics(pairs);
  const isSeen = interval[0] > 0 || interval[1] < 0;
  return `${mean > 0 ? "+" : ""}${rounded(mean)} ± ${rounded(halfWidth)}${isSeen ? "" : ", none seen"}`;
}

const rounded = (value: number) => (Math.abs(value) < 0.1 ? value.toExponential(2) : value.toFixed(2));
