import type { Table } from "apache-arrow";
import { seedStatistics } from "../../src/analysis/statistics";
import { textTable } from "../../src/core/textTable";
import { tableOf } from "../../src/io/tables";
import type { Done } from "./run";
import type { Measure } from "./study";

/** A row of a study's table: a measure, and where it comes from. */
export interface Result extends Measure {
  seed: number;
  epochs: number;
  /** Of the whole trial. */
  seconds?: number;
  commit: string;
  machine: string;
}

/** What a result is of: no two of a table have the same. */
export const nameOf = ({ variant, seed, metric, layer }: Result): string =>
  [variant, `seed ${seed}`, metric, layer].filter((part) => part !== undefined).join(", ");

/** The measures of trials, one after another. */
export const resultsOf = (done: readonly Done[]): Result[] =>
  done.flatMap(({ measures, seed, size: { epochs }, seconds, commit, machine }) =>
    measures.map((measure) => ({ ...measure, seed, epochs, seconds, commit, machine })),
  );

/** A row per measure: variant, seed, metric, layer, value, epochs, seconds, commit, machine. */
export function resultsTable(results: readonly Result[]): Table {
  return tableOf({
    variant: results.map(({ variant }) => variant),
    seed: results.map(({ seed }) => seed),
    metric: results.map(({ metric }) => metric),
    layer: results.map(({ layer }) => layer ?? null),
    value: results.map(({ value }) => value),
    epochs: results.map(({ epochs }) => epochs),
    seconds: results.map(({ seconds }) => seconds ?? null),
    commit: results.map(({ commit }) => commit),
    machine: results.map(({ machine }) => machine),
  });
}

/** Values by seed. */
type BySeed = ReadonlyMap<number, number>;

/**
 * Means over seeds with 99 % intervals, and each variant's difference from the baseline, seed by seed. A difference whose
 * interval holds 0 is none that was seen.
 */
export function resultsText(results: readonly Result[], baseline: string): string {
  const found = new Map<string, Map<string, Map<number, number>>>();
  for (const { variant, seed, metric, layer, value } of results) {
    const name = layer === undefined ? metric : `${metric}, ${layer}`;
    const variants = found.get(name) ?? new Map();
    const values = variants.get(variant) ?? new Map();
    found.set(name, variants.set(variant, values.set(seed, value)));
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
