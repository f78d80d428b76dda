import { readFileSync } from "node:fs";
import { brief } from "../core/brief";
import { LuvitError, listOffenders } from "../core/errors";
import { gitLfsPointer } from "../core/gitLfsPointer";
import { writeAtomically } from "../core/writeAtomically";

/** MIME type -> content; text and base64 as strings, JSON types as objects. */
export type MimeBundle = Record<string, unknown>;

/** Text a cell wrote to stdout or stderr. */
export interface StreamOutput {
  output_type: "stream";
  name: "stdout" | "stderr";
  text: string;
}

/** Something a cell displayed. */
export interface DisplayOutput {
  output_type: "display_data";
  data: MimeBundle;
  metadata: Record<string, unknown>;
}

/** The value of a cell's last expression. */
export interface ResultOutput {
  output_type: "execute_result";
  execution_count: number;
  data: MimeBundle;
  metadata: Record<string, unknown>;
}

/** Why a cell failed. */
export interface ErrorOutput {
  output_type: "error";
  ename: string;
  evalue: string;
  traceback: string[];
}

/** One entry below a code cell. */
export type CellOutput = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

/** A cell in memory: the source is one string. */
export interface NotebookCell {
  id: string;
  cell_type: "code" | "markdown" | "raw";
  source: string;
  metadata: { tags?: string[]; [key: string]: unknown };
  outputs?: CellOutput[];
  execution_count?: number | null;
  attachments?: Record<string, MimeBundle>;
}

/** A notebook in memory. */
export interface Notebook {
  cells: NotebookCell[];
  metadata: { kernelspec?: { name?: string; language?: string }; [key: string]: unknown };
  nbformat: number;
  nbformat_minor: number;
}

/**
 * Reads a notebook of format 4; outputs of earlier runs are dropped.
 *
 * @throws LuvitError("bad-file") for a file that is none, listing all that is not as the format has it.
 */
export function readNotebook(path: string): Notebook {
  const raw = parse(path);
  if (!isObject(raw) || raw.nbformat !== 4 || !Array.isArray(raw.cells)) {
    throw new LuvitError("bad-file", `${path}: expected a Jupyter notebook of format 4`);
  }
  const faults = notebookFaults(raw, raw.cells);
  if (faults.length > 0) {
    throw new LuvitError("bad-file", `${path}: no notebook of format 4\n${listOffenders(faults)}`);
  }
  const cells = (raw.cells as NotebookCell[]).map((cell, index) => cleanCell(cell, index));
  const metadata = (raw.metadata ?? {}) as Notebook["metadata"];
  return { cells, metadata, nbformat: 4, nbformat_minor: 5 };
}

function parse(path: string): unknown {
  const bytes = readFileSync(path);
  const pointer = gitLfsPointer(bytes);
  if (pointer) throw new LuvitError("bad-file", `${path}: ${pointer}`);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: not a readable notebook (${(cause as Error).message})`, {
      cause,
    });
  }
}

type Found = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Found {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isText = (value: unknown) =>
  typeof value === "string" || (Array.isArray(value) && value.every((line) => typeof line === "string"));
const isObjectOrNone = (value: unknown) => value === undefined || value === null || isObject(value);

/** What a cell must be like to be run and stored again; what else it holds is dropped. */
const cellEntries: readonly [name: string, expected: string, fits: (value: unknown) => boolean][] = [
  ["id", "a text", (value) => value === undefined || value === null || typeof value === "string"],
  ["cell_type", "code, markdown or raw", (value) => ["code", "markdown", "raw"].includes(value as string)],
  ["source", "a text, or a list of its lines", isText],
  ["metadata", "an object", isObjectOrNone],
  ["attachments", "an object", isObjectOrNone],
];

function notebookFaults({ metadata }: Found, cells: readonly unknown[]): string[] {
  const faults = cells.flatMap((cell, index) => {
    if (!isObject(cell)) return [`cells[${index}]: expected a cell, got ${brief(cell)}`];
    const wrong = cellEntries.filter(([name, , fits]) => !fits(cell[name]));
    const lines = wrong.map(([name, expected]) => `${name}: expected ${expected}, got ${brief(cell[name])}`);
    const { tags } = isObject(cell.metadata) ? cell.metadata : {};
    if (tags !== undefined && !Array.isArray(tags))
      lines.push(`metadata.tags: expected a list, got ${brief(tags)}`);
    return lines.map((line) => `cells[${index}].${line}`);
  });
  if (!isObjectOrNone(metadata)) faults.push(`metadata: expected an object, got ${brief(metadata)}`);
  else if (!isObjectOrNone((metadata as Found | null | undefined)?.kernelspec))
    faults.push("metadata.kernelspec: expected an object");
  return faults;
}

function cleanCell(cell: NotebookCell, index: number): NotebookCell {
  const clean: NotebookCell = {
    id: cell.id ?? `cell-${index}`,
    cell_type: cell.cell_type,
    source: joinLines(cell.source),
    metadata: cell.metadata ?? {},
  };
  if (cell.cell_type === "code") Object.assign(clean, { outputs: [], execution_count: null });
  if (cell.attachments) clean.attachments = cell.attachments;
  return clean;
}

/** Writes a notebook as Jupyter stores it (format 4.5, text as arrays of lines), atomically. */
export function writeNotebook(path: string, notebook: Notebook): void {
  const cells = notebook.cells.map((cell) => {
    const stored: Record<string, unknown> = { ...cell, source: splitLines(cell.source) };
    if (cell.outputs) stored.outputs = cell.outputs.map(storeOutput);
    return stored;
  });
  const stored = { cells, metadata: notebook.metadata, nbformat: 4, nbformat_minor: 5 };
  writeAtomically(path, `${JSON.stringify(stored, null, 1)}\n`);
}

/** Notebook text may be one string or an array of lines; this is always one string. */
export function joinLines(text: unknown): string {
  return Array.isArray(text) ? text.join("") : String(text ?? "");
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

function storeOutput(output: CellOutput): object {
  if (output.output_type === "stream") return { ...output, text: splitLines(output.text) };
  if (output.output_type === "error") return output;
  const data: MimeBundle = {};
  for (const [mime, content] of Object.entries(output.data)) {
    const isText = typeof content === "string" && (mime.startsWith("text/") || mime === "image/svg+xml");
    data[mime] = isText ? splitLines(content) : content;
  }
  return { ...output, data };
}
