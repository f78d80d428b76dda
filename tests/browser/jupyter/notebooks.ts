import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JupyterServer, project } from "./server";

/** Puts a shipped notebook, with so many epochs for its parameter, and the bundled data into the server's folder; its path there. */
export function placeShipped(server: JupyterServer, name: string, epochs: number): string {
  placeData(server);
  mkdirSync(join(server.folder, "notebooks"), { recursive: true });
  const shipped = readFileSync(join(project, "notebooks", name), "utf8");
  const parameter = /(let epochs: number \| null = )null;/;
  if (!parameter.test(shipped)) throw new Error(`${name} has no parameter epochs`);
  writeFileSync(join(server.folder, "notebooks", name), shipped.replace(parameter, `$1${epochs};`));
  return `notebooks/${name}`;
}

/** The cell of a shipped notebook that holds a text, as its student finds it. */
export function shippedCell(name: string, held: string): string {
  const notebook = JSON.parse(readFileSync(join(project, "notebooks", name), "utf8")) as {
    cells: { cell_type: string; source: string | string[] }[];
  };
  const sources = notebook.cells
    .filter((cell) => cell.cell_type === "code")
    .map(({ source }) => [source].flat().join(""));
  const [found, ...more] = sources.filter((source) => source.includes(held));
  if (found === undefined || more.length > 0) throw new Error(`${name}: one cell with ${held} was expected`);
  return found;
}

/** Writes a notebook of these code cells beside the bundled data; its path. */
export function placeCells(server: JupyterServer, name: string, cells: readonly string[]): string {
  placeData(server);
  mkdirSync(join(server.folder, "notebooks"), { recursive: true });
  writeCells(join(server.folder, "notebooks", name), cells);
  return `notebooks/${name}`;
}

/** A cell of text among cells of code. */
interface TextCell {
  text: string;
}

/** Writes a notebook of these code cells, for our kernel. */
export function writeCells(path: string, cells: readonly (string | TextCell)[]): void {
  const notebook = {
    cells: cells.map((cell, index) => ({ id: `cell-${index}`, metadata: {}, ...cellOf(cell) })),
    metadata: { kernelspec: { name: "luvit", display_name: "TypeScript · LUViT", language: "typescript" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
  writeFileSync(path, JSON.stringify(notebook));
}

function cellOf(cell: string | TextCell): object {
  if (typeof cell !== "string") return { cell_type: "markdown", source: cell.text };
  return { cell_type: "code", execution_count: null, outputs: [], source: cell };
}

/** The same notebook as it comes from somebody else: Jupyter has not seen it being made and does not trust it. */
export function placeForeignCopy(server: JupyterServer, notebook: string): string {
  const content = JSON.parse(readFileSync(join(server.folder, notebook), "utf8"));
  content.metadata.authors = [{ name: "somebody else" }];
  const copy = notebook.replace(".ipynb", "-foreign.ipynb");
  writeFileSync(join(server.folder, copy), JSON.stringify(content));
  return copy;
}

function placeData(server: JupyterServer): void {
  try {
    symlinkSync(join(project, "data"), join(server.folder, "data"), "junction");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
