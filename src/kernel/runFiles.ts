import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { LuvitError } from "../core/errors";
import { makeFolder } from "../core/makeFolder";
import { writeAtomically } from "../core/writeAtomically";
import { type CellOutput, type Notebook, type NotebookCell, writeNotebook } from "../notebook/nbformat";
import { type PageFacts, renderPage } from "../notebook/page";

const unfinished: CellOutput = {
  output_type: "error",
  ename: "Unfinished",
  evalue: "the process ended while this cell ran",
  traceback: ["Unfinished: the process ended while this cell ran"],
};

/** The executed notebook and its page: the notebook is written as the run goes on, the page at its end. */
export class RunFiles {
  readonly name: string;
  readonly notebookPath: string;
  readonly pagePath: string | undefined;

  /** Makes the folder `out`, by default `out/<name>`. */
  constructor(
    source: string,
    private readonly notebook: Notebook,
    { out, html }: { out?: string; html?: boolean },
  ) {
    this.name = basename(source, ".ipynb");
    const folder = resolve(out ?? join("out", this.name));
    this.notebookPath = join(folder, `${this.name}.ipynb`);
    if (isSameFile(this.notebookPath, source)) {
      throw new LuvitError(
        "bad-argument",
        `--out ${folder} would overwrite the notebook itself; choose another folder`,
      );
    }
    makeFolder(folder);
    this.pagePath = html === false ? undefined : join(folder, `${this.name}.html`);
  }

  /** Writes what there is when a cell begins; the file says so should the process not outlive the cell. */
  begin(cell: NotebookCell): void {
    const cells = this.notebook.cells.map((one) =>
      one === cell ? { ...one, outputs: [...(one.outputs ?? []), unfinished] } : one,
    );
    writeNotebook(this.notebookPath, { ...this.notebook, cells });
  }

  finish(facts: PageFacts): void {
    writeNotebook(this.notebookPath, this.notebook);
    if (this.pagePath) writeAtomically(this.pagePath, renderPage(this.notebook, facts));
  }
}

/** Whether two paths lead to one file, through links too. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  return one === other || (a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino);
}
