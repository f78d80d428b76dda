import { inspect } from "node:util";
import { checkOptions, such } from "../../core/options";
import { textTable } from "../../core/textTable";
import { type Provenance, type ResultTable, resultTable } from "../provenance";
import { seedStatistics } from "../statistics";
import type { RelevanceMethod } from "./methods";

const measures = ["deletion", "insertion", "accuracy", "iou"] as const;
type Measure = (typeof measures)[number];

export interface Row extends Record<Measure, number | null> {
  readonly path: string;
  readonly method: RelevanceMethod;
  readonly class: number;
}

/** How well maps tell what a model relies on. Prints as a line per method. */
export class Faithfulness {
  /** A row per image and method: path, method, class, deletion, insertion, accuracy and iou (null without a mask). */
  readonly table: ResultTable;
  /** A row per method and measure: mean, 95 % interval (low, high), images counted. */
  readonly summary: ResultTable;
  private readonly text: string;

  constructor(rows: readonly Row[], from: Provenance) {
    checkOptions("Faithfulness", such("rows, from analysis.faithfulness", Array.isArray), rows);
    const column = <K extends keyof Row>(name: K) => rows.map((row) => row[name]);
    this.table = resultTable(
      {
        path: column("path"),
        method: column("method"),
        class: column("class"),
        ...Object.fromEntries(measures.map((measure) => [measure, column(measure)])),
      },
      from,
    );
    const summary = summarize(rows);
    this.summary = resultTable(
      {
        method: summary.map(({ method }) => method),
        measure: summary.map(({ measure }) => measure),
        mean: summary.map(({ mean }) => mean),
        low: summary.map(({ low }) => low),
        high: summary.map(({ high }) => high),
        images: summary.map(({ images }) => images),
      },
      from,
    );
    const number = (x: number | null) => (x === null ? "–" : x.toFixed(3));
    this.text = textTable(
      ["method", "measure", "mean", "95 %", "images"],
      summary.map(({ method, measure, mean, low, high, images }) => [
        method,
        measure,
        number(mean),
        `${number(low)} to ${number(high)}`,
        String(images),
      ]),
    );
  }

  toString(): string {
    return this.text;
  }

  [inspect.custom](): string {
    return this.text;
  }
}

function summarize(rows: readonly Row[]) {
  const methods = [...new Set(rows.map(({ method }) => method))];
  return methods.flatMap((method) =>
    measures.flatMap((measure) => {
      const values = rows
        .filter((row) => row.method === method && row[measure] !== null)
        .map((row) => row[measure]!);
      if (values.length === 0) return [];
      const { mean, interval } = seedStatistics(values, 0.95);
      const [low, high] = interval.map((x) => (Number.isNaN(x) ? null : x));
      return [{ method, measure, mean, low, high, images: values.length }];
    }),
  );
}
