import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CellOutput } from "../../../src/notebook/nbformat";
import { temporaryFolder } from "../../support/temporaryFolder";

/** The compiled command line. */
export const cliPath = join(__dirname, "../../../src/cli.js");

/** A code cell as plain source, or a Markdown cell, or a tagged code cell. */
export type TestCell = string | { markdown: string } | { code: string; tags: string[] };

/** What a run of the command line left behind. */
export interface CliRun {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Outputs of the code cells, in order, as stored. */
  outputs: (CellOutput & { text?: string | string[] })[][];
  counts: (number | null)[];
  page: string;
}

/** Writes a notebook into a new folder and returns its path. */
export function writeTestNotebook(cells: readonly TestCell[], language = "typescript"): string {
  const folder = temporaryFolder("run");
  const path = join(folder, "test.ipynb");
  const stored = cells.map((cell, index) => {
    const id = `c${index}`;
    if (typeof cell === "object" && "markdown" in cell)
      return { id, cell_type: "markdown", metadata: {}, source: cell.markdown };
    const [code, tags] = typeof cell === "string" ? [cell, []] : [cell.code, cell.tags];
    return {
      id,
      cell_type: "code",
      metadata: { tags },
      source: code.split(/(?<=\n)/),
      outputs: [],
      execution_count: null,
    };
  });
  const metadata = { kernelspec: { name: "tslab", display_name: "TypeScript", language } };
  writeFileSync(path, JSON.stringify({ cells: stored, metadata, nbformat: 4, nbformat_minor: 5 }));
  return path;
}

/** Runs a notebook with `luvit run`. */
export async function runCli(
  path: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<CliRun> {
  const out = join(path, "..", "out");
  const child = spawn(process.execPath, [...nodeArgs, cliPath, "run", path, "--out", out, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const text = { stdout: "", stderr: "" };
  child.stderr.on("data", (chunk) => {
    text.stderr += String(chunk);
  });
  child.stdout.on("data", (chunk) => {
    text.stdout += String(chunk);
  });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const cells = readCells(join(out, "test.ipynb"));
  return {
    status,
    ...text,
    outputs: cells.map((cell) => cell.outputs),
    counts: cells.map((cell) => cell.execution_count),
    page: readText(join(out, "test.html")),
  };
}

/** All text of a stored stream or MIME entry. */
export function joined(text: unknown): string {
  return Array.isArray(text) ? text.join("") : String(text ?? "");
}

/** All stream text of one cell. */
export function streamText(outputs: CliRun["outputs"][number], name: "stdout" | "stderr"): string {
  return outputs
    .map((output) => (output.output_type === "stream" && output.name === name ? joined(output.text) : ""))
    .join("");
}

function readCells(path: string): { outputs: CliRun["outputs"][number]; execution_count: number | null }[] {
  const text = readText(path);
  if (text === "") return [];
  const notebook = JSON.parse(text) as {
    cells: { cell_type: string; outputs: never; execution_count: number | null }[];
  };
  return notebook.cells.filter((cell) => cell.cell_type === "code");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
