import { Float64, Table, Vector, vectorFromArray } from "apache-arrow";
import { textColumn } from "../io/table";

/** A column: texts, numbers (null: none), or a ready vector. */
export type ResultColumn = readonly (string | null)[] | readonly (number | null)[] | Vector;

/** An Arrow table of columns alone. */
export function tableOf(columns: Readonly<Record<string, ResultColumn>>): Table {
  return new Table(vectorsOf(columns));
}

/** Arrow vectors of columns, by name. */
export function vectorsOf(columns: Readonly<Record<string, ResultColumn>>): Record<string, Vector> {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, vectorOf(values)]));
}

function vectorOf(values: ResultColumn): Vector {
  if (values instanceof Vector) return values;
  if (values.some((value) => typeof value === "string")) return textColumn(values as (string | null)[]);
  return vectorFromArray(values as (number | null)[], new Float64());
}
