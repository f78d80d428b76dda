import { inspect } from "node:util";
import { checkOptions, such } from "../../core/options";
import { textTable } from "../../core/textTable";
import { columnsOf, type Provenance, type ResultTable, resultTable } from "../provenance";
import { meanWithInterval } from "../statistics";
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
    this.table = resultTable(columnsOf(rows, ["path", "method", "class", ...measures]), from);
    const summary = summarize(rows);
    const names = ["method", "measure", "mean", "low", "high", "images"] as const;
    this.summary = resultTable(columnsOf(summary, names), from);
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
      return [{ method, measure, ...meanWithInterval(values), images: values.length }];
    }),
  );
}
