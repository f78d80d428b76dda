import { inspect } from "node:util";
import { checkOptions, list, optionsOf, row, whole } from "../core/options";
import { escapeHtml } from "./html";
import type { MimeBundle } from "./nbformat";
import { columnFormats, columnTitle } from "./numberColumns";
import { label } from "./options";

import { jupyterDisplay } from "./symbols";

/** Longer tables scroll under their head. */
const mostVisibleRows = 16;
/** Longer texts break within words before digits beside them are cut. */
const longText = 12;
const breaks = ";overflow-wrap:anywhere;min-width:7em";
/** As many columns fit a phone. */
const fewColumns = 3;
const ground = "var(--jp-layout-color0,var(--bg,Canvas))";
const stays = `;position:sticky;top:0;background:${ground}`;
/** Shadows at the ends beyond which a wide table goes on; they are covered where it ends. */
const edge = (side: string, at: string) =>
  `linear-gradient(to ${side},${ground} 40%,transparent) ${at} 0/28px 100% no-repeat local,` +
  `linear-gradient(to ${side},rgba(128,128,128,.45),transparent) ${at} 0/10px 100% no-repeat scroll`;
const scrolls = `overflow:auto;background:${edge("right", "0")},${edge("left", "100%")}`;

/** One row: an object whose fields are the cells, e.g. `{ model: "LUViT", top1: 83.6 }`. */
export type TableRecord = object;

/** How a table looks. */
export interface TableOptions {
  /** Which columns, in which order; default all, as they first appear. */
  columns?: readonly string[];
  /** Most rows shown; default 200. */
  limit?: number;
}

export const tableOptions = optionsOf<TableOptions>(
  {},
  { columns: list(label, 1), limit: whole(1, 100_000) },
);

/** Rows that print as an aligned table on a terminal and as an HTML table in a notebook. */
export class Table {
  readonly columns: readonly string[];

  constructor(
    readonly records: readonly TableRecord[],
    readonly options: TableOptions = {},
    /** What stands above a column. */
    private readonly titleOf = columnTitle,
  ) {
    checkOptions("table", row("a list of objects"), records);
    this.columns = options.columns ?? [...new Set(records.flatMap((record) => Object.keys(record)))];
  }

  /** Aligned text: numbers to the right, a rule under the names. */
  toString(): string {
    const { head, rows, more } = this.cells();
    const widths = head.map((name, column) =>
      Math.max(name.length, ...rows.map((row) => row[column]!.length)),
    );
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, column) =>
          this.isNumeric(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join("  ")
        .trimEnd();
    return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line), ...more].join(
      "\n",
    );
  }

  /** The table as HTML, without a style sheet. */
  toHtml(): string {
    const { head, rows, more } = this.cells();
    const isLong = rows.length > mostVisibleRows;
    const style = (column: number, tag: string) => {
      if (tag === "th")
        return `text-align:${this.isNumeric(column) ? "right" : "left"};vertical-align:bottom;white-space:normal${isLong ? stays : ""}`;
      if (this.isNumeric(column)) return "text-align:right;white-space:nowrap";
      return `text-align:left${rows.some((row) => row[column]!.length > longText) ? breaks : ""}`;
    };
    const row = (cells: readonly string[], tag: string) =>
      `<tr>${cells.map((cell, column) => `<${tag} style="${style(column, tag)}">${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
    const body = rows.map((cells) => row(cells, "td")).join("");
    const foot = more
      .map((text) => `<tr><td colspan="${head.length}">${escapeHtml(text)}</td></tr>`)
      .join("");
    const inner = `<thead>${row(head, "th")}</thead><tbody>${body}${foot}</tbody>`;
    const look = "display:table;background:none;font-variant-numeric:tabular-nums;margin:";
    if (!isLong && head.length <= fewColumns) return `<table style="${look}8px 0">${inner}</table>`;
    const most = isLong ? "max-height:460px;" : "";
    return `<div style="${most}max-width:100%;margin:8px 0;${scrolls}"><table style="${look}0">${inner}</table></div>`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  [jupyterDisplay](): MimeBundle {
    return { "text/plain": this.toString(), "text/html": this.toHtml() };
  }

  private cells(): { head: string[]; rows: string[][]; more: string[] } {
    const limit = this.options.limit ?? 200;
    const shown = this.records.slice(0, limit);
    const head = this.columns.map((name) => this.titleOf(name, this.columns));
    const values = this.columns.map((name) => shown.map((record) => cellOf(record, name)));
    const formats = columnFormats(head, values);
    const rows = shown.map((_, row) => values.map((cells, column) => cellText(cells[row], formats[column]!)));
    const left = this.records.length - rows.length;
    return { head, rows, more: left > 0 ? [`… and ${left} more rows`] : [] };
  }

  private isNumeric(column: number): boolean {
    const name = this.columns[column]!;
    const values = this.records
      .map((record) => cellOf(record, name))
      .filter((value) => value !== undefined && value !== null);
    return values.length > 0 && values.every((value) => typeof value === "number");
  }
}

/**
 * A table of records; the last expression of a cell, or `show(table(records))`.
 *
 * @example
 * luvit.show(luvit.table([{ model: "ViT", "top-1 (%)": 83.2 }, { model: "LUViT", "top-1 (%)": 83.4 }]));
 */
export function table(records: readonly TableRecord[], options: TableOptions = {}): Table {
  checkOptions("table", tableOptions, options);
  return new Table(records, options);
}

function cellOf(record: TableRecord, column: string): unknown {
  return (record as Record<string, unknown>)[column];
}

function cellText(value: unknown, format: (value: number) => string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return format(value);
  return typeof value === "string"
    ? value
    : inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 1 });
}
