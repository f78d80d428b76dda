import { formatNumber } from "../figures/format";
import type { MimeBundle } from "./nbformat";
import { aside } from "./styles";
import { Table } from "./table";

/** The part of an Arrow table that is shown. */
export interface ArrowTable {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly { readonly name: string; readonly type: unknown }[] };
  get(row: number): { toJSON(): object } | null;
}

const mostRows = 20;

/** The first rows of a long table, and what its columns hold. */
export function arrowBundle(arrow: ArrowTable): MimeBundle {
  const { numRows, schema } = arrow;
  const columns = schema.fields.map(({ name, type }) => `${name} (${String(type)})`).join(", ");
  const head = `${formatNumber(numRows)} rows: ${columns}`;
  const rows = Array.from({ length: Math.min(mostRows, numRows) }, (_, row) => arrow.get(row)!.toJSON());
  const shown = new Table(rows, { columns: schema.fields.map(({ name }) => name) }, (name) => name);
  const more = numRows > mostRows ? `… and ${formatNumber(numRows - mostRows)} more rows` : "";
  return {
    "text/plain": [head, String(shown), more].filter(Boolean).join("\n"),
    "text/html": `${aside(head)}${shown.toHtml()}${more === "" ? "" : aside(more)}`,
  };
}
