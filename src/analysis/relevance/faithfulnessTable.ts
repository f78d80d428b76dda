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
  /** Probabilities of the class before the first step and after each. */
  readonly curves: Readonly<Record<CurveName, readonly number[]>>;
}

export const curveNames = ["deletion", "insertion"] as const;
export type CurveName = (typeof curveNames)[number];

/** How well maps tell what a model relies on. Prints as a line per method. */
export class Faithfulness {
  /** A row per image and method: path, method, class, deletion, insertion, accuracy and iou (null without a mask). */
  readonly table: ResultTable;
  /** A row per method and measure: mean, 95 % interval (low, high), images counted. */
  readonly summary: ResultTable;
  /**
   * A row per method, curve ("deletion", "insertion") and step: share of the pixels that have changed, mean probability of the
   * class, 95 % interval (low, high), images.
   */
  readonly curves: ResultTable;
  private readonly text: string;

  constructor(rows: readonly Row[], from: Provenance) {
    checkOptions("Faithfulness", such("rows, from analysis.faithfulness", Array.isArray), rows);
    const values = rows.map(({ curves: _, ...row }) => row);
    this.table = resultTable(columnsOf(values, ["path", "method", "class", ...measures]), from);
    const summary = summarize(rows);
    const names = ["method", "measure", "mean", "low", "high", "images"] as const;
    this.summary = resultTable(columnsOf(summary, names), from);
    const points = ["method", "curve", "share", "mean", "low", "high", "images"] as const;
    this.curves = resultTable(columnsOf(curvesOf(rows), points), from);
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

function curvesOf(rows: readonly Row[]) {
  const methods = [...new Set(rows.map(({ method }) => method))];
  return methods.flatMap((method) =>
    curveNames.flatMap((curve) => {
      const own = rows.filter((row) => row.method === method).map(({ curves }) => curves[curve]);
      const steps = Math.max(...own.map(({ length }) => length));
      return Array.from({ length: steps }, (_, step) => {
        const share = step / (steps - 1);
        const values = own.map((curve) => valueAt(curve, share));
        return { method, curve, share, ...meanWithInterval(values), images: own.length };
      });
    }),
  );
}

/** Between two steps on the straight line: images of other sizes may have other numbers of steps. */
function valueAt(curve: readonly number[], share: number): number {
  const at = share * (curve.length - 1);
  const before = Math.floor(at);
  const rest = at - before;
  return rest === 0 ? curve[before] : (1 - rest) * curve[before] + rest * curve[before + 1];
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
