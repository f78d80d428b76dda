import { Float64, Int32, Table, Vector, vectorFromArray } from "apache-arrow";
import { codeVersion } from "../../core/commit";
import { textColumn } from "./table";

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

/** Where numbers come from; columns of every table of results. */
export interface Provenance {
  /** Default: what the model prints as. */
  model?: string;
  /** The data set. */
  data?: string;
  /** Name of the recipe the model was trained with. */
  recipe?: string;
  /** Seed of the run that trained it. */
  seed?: number;
}

/** An Arrow table whose columns say model, data, recipe, seed and commit before they give numbers. */
export interface ResultTable extends Table {}

/**
 * An Arrow table of results: model, data, recipe, seed and commit (of this library), the same in every row unless a
 * given column says otherwise, then the given columns.
 */
export function resultTable(
  columns: Readonly<Record<string, ResultColumn>>,
  provenance: Provenance,
): ResultTable {
  const given = vectorsOf(columns);
  const rows = Object.values(given)[0]?.length ?? 0;
  const same = <T>(value: T) => Array.from({ length: rows }, () => value);
  const { model = null, data = null, recipe = null, seed = null } = provenance;
  return new Table({
    model: textColumn(same(model)),
    data: textColumn(same(data)),
    recipe: textColumn(same(recipe)),
    seed: vectorFromArray(same(seed), new Int32()),
    commit: textColumn(same(codeVersion())),
    ...given,
  });
}

/** Entries of rows as columns for a table, by their names. */
export function columnsOf<Row extends object, Name extends keyof Row & string>(
  rows: readonly Row[],
  names: readonly Name[],
): { [Key in Name]: Row[Key][] } {
  const columns = names.map((name) => [name, rows.map((row) => row[name])]);
  return Object.fromEntries(columns) as { [Key in Name]: Row[Key][] };
}
