import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { checkOptions, list } from "../../core/options";
import { textTable } from "../../core/textTable";
import { arrowTable } from "../../io/options";
import { resultTable, rowsOf } from "../provenance";
import { type SeedStatistics, seedStatistics } from "../statistics";

/** One number over several seeds. */
export interface SeedRow extends SeedStatistics {
  model: string;
  recipe: string | null;
  data: string;
  metric: string;
  seeds: number[];
}

/** Numbers of several runs that differ in their seed. Prints means with their confidence intervals. */
export class SeedTable {
  constructor(
    readonly rows: readonly SeedRow[],
    /** A row per number: data, metric, n, mean, std, standardError, paperStandardError (std / n), low, high (of the
     * interval), confidence, seeds; and the provenance. */
    readonly table: Table,
    readonly confidence: number,
  ) {}

  toString(): string {
    const head = [
      "model",
      "data",
      "metric",
      "seeds",
      "mean",
      "± standard error",
      `${100 * this.confidence} % interval`,
    ];
    const rows = this.rows.map(({ model, data, metric, n, mean, standardError, interval }) => [
      model,
      data,
      metric,
      String(n),
      mean.toFixed(2),
      // One seed says nothing of others.
      ...(n === 1
        ? ["–", "–"]
        : [standardError.toFixed(3), `${interval[0].toFixed(2)} to ${interval[1].toFixed(2)}`]),
    ]);
    return textTable(head, rows);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Mean, standard error and confidence interval (99 %: Figure 6, Table 6) of every number in tables of results that
 * differ in their seed; tables as `suite` makes them, or any with model, recipe, seed, data, metric and value.
 *
 * @throws LuvitError("bad-argument") for a number that two tables give for the same seed.
 */
export function overSeeds(tables: readonly Table[], confidence = 0.99): SeedTable {
  checkOptions("overSeeds", list(arrowTable, 1), tables);
  const groups = new Map<
    string,
    { model: string; recipe: string | null; data: string; metric: string; values: Map<number, number> }
  >();
  for (const row of tables.flatMap(rowsOf)) {
    const { model, recipe, data, metric, seed, value } = row as Record<string, string> & {
      seed: number;
      value: number;
    };
    const key = JSON.stringify([model, recipe, data, metric]);
    if (!groups.has(key)) groups.set(key, { model, recipe, data, metric, values: new Map() });
    const { values } = groups.get(key)!;
    if (seed === null || values.has(seed)) {
      const reason = seed === null ? "a result without a seed" : `seed ${seed} twice`;
      throw new LuvitError("bad-argument", `overSeeds: ${model}, ${data}, ${metric}: ${reason}`);
    }
    values.set(seed, value);
  }
  const rows = [...groups.values()].map(({ values, ...group }) => ({
    ...group,
    seeds: [...values.keys()],
    ...seedStatistics([...values.values()], confidence),
  }));
  return new SeedTable(rows, tableOf(rows, confidence), confidence);
}

function tableOf(rows: readonly SeedRow[], confidence: number): Table {
  const column = <Key extends keyof SeedRow>(key: Key) => rows.map((row) => row[key]);
  return resultTable(
    {
      model: column("model"),
      recipe: column("recipe"),
      data: column("data"),
      metric: column("metric"),
      n: column("n"),
      mean: column("mean"),
      std: column("std"),
      standardError: column("standardError"),
      paperStandardError: column("paperStandardError"),
      low: rows.map(({ interval }) => interval[0]),
      high: rows.map(({ interval }) => interval[1]),
      confidence: rows.map(() => confidence),
      seeds: rows.map(({ seeds }) => seeds.join(" ")),
    },
    {},
  );
}
