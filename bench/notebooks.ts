import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LuvitError } from "../src/core/errors";
import { packageRoot } from "../src/core/packageRoot";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { memoryOfTree } from "./core/memory";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";

/** What one notebook takes, from a fresh kernel to its last cell. */
interface NotebookFigures {
  notebook: string;
  seconds: number;
  /** Most that the kernel and what it started had resident at one time, 1e6 bytes. */
  memory_mb: number;
}

export interface NotebooksResult extends Heading {
  notebooks: readonly NotebookFigures[];
}

/** How often memory is looked at, milliseconds. */
const LOOK = 200;

/** Every notebook as it stands, one after the other, each from a fresh kernel. */
export async function notebooks(options: BenchOptions): Promise<Report> {
  const figures: NotebookFigures[] = [];
  for (const notebook of names()) {
    console.error(`running ${notebook}`);
    figures.push(await figuresOf(notebook));
  }
  const result: NotebooksResult = { ...headingOf(options, null), notebooks: figures };
  return { json: { ...result, ...noFigures }, text: textOf(result) };
}

const folder = join(packageRoot(), "notebooks");

function names(): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => /^(course\/)?[^/]+\.ipynb$/.test(name))
    .sort();
}

async function figuresOf(notebook: string): Promise<NotebookFigures> {
  const out = mkdtempSync(join(tmpdir(), "luvit-notebooks-"));
  const command = [join(packageRoot(), "dist", "cli.js"), "run", join(folder, notebook), "--out", out];
  const started = performance.now();
  const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "inherit"] });
  let memory_mb = 0;
  const watch = setInterval(() => {
    memory_mb = Math.max(memory_mb, memoryOfTree(child.pid!).now);
  }, LOOK);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (status !== 0) throw new LuvitError("bad-argument", `notebooks: ${notebook} ended with ${status}`);
    return { notebook, seconds: (performance.now() - started) / 1000, memory_mb };
  } finally {
    clearInterval(watch);
    rmSync(out, { recursive: true, force: true });
  }
}

function textOf(result: NotebooksResult): string {
  const rows = result.notebooks.map(
    ({ notebook, seconds, memory_mb }) =>
      `| ${notebook} | ${seconds.toFixed(0)} s | ${memory_mb.toFixed(0)} MB |`,
  );
  return [...headingText(result), "| notebook | time | memory |", "|---|---|---|", ...rows].join("\n");
}
