import type { Notebook, NotebookCell } from "./nbformat";

const longest = 60;

/** What to call a code cell: its opening comment, else the heading it follows, else its first line. */
export function cellTitle(notebook: Notebook, cell: NotebookCell): string {
  const [first = ""] = cell.source.trim().split(/\s*\n/);
  const comment = /^\/\/+\s*(.+)$/.exec(first)?.[1];
  return shorten(comment ?? headingAbove(notebook, cell) ?? first);
}

/** The last heading of the text directly above the cell; undefined when another code cell comes first. */
function headingAbove(notebook: Notebook, cell: NotebookCell): string | undefined {
  for (let index = notebook.cells.indexOf(cell) - 1; index >= 0; index--) {
    const above = notebook.cells[index]!;
    if (above.cell_type === "code") return undefined;
    const headings = [...above.source.matchAll(/^#{1,6}\s+(.+)$/gm)];
    const last = headings[headings.length - 1];
    if (last) return last[1]!.replace(/[*_`]/g, "").trim();
  }
  return undefined;
}

function shorten(text: string): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
