import { printable } from "./printable";

/** Rows of cells as lines of aligned columns: names, a rule, rows. Numbers (and "–" among them) go to the right. */
export function textTable(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable));
  const isNumber = head.map((_, column) => rows.every((row) => /^[–−+-]?[\d.]*( ±.*)?$/.test(row[column])));
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}
