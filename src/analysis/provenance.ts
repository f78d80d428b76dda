import type { Table } from "apache-arrow";

export { columnsOf, type Provenance, type ResultColumn, type ResultTable, resultTable } from "../io/tables";

/** The rows of a table of results as plain objects. */
export function rowsOf(table: Table): Record<string, string | number | boolean | null>[] {
  return table.toArray().map((row) => ({ ...row.toJSON() }));
}
