#!/usr/bin/env node
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { corruptCommand, corruptHelp } from "./commandLine/corruptCommand";
import { LuvitError } from "./core/errors";
import { packageVersion } from "./core/packageRoot";
import { printableLines } from "./core/printable";
import { isRunCommand, runHelp } from "./commandLine/help";
import { engineCommand, engineHelp } from "./engineCommand";
import { formatDuration } from "./figures/format";
import { parseParameter } from "./kernel/parameters";
import { type RunReport, runNotebook } from "./kernel/runNotebook";
import { kernelCommand, kernelHelp } from "./kernelCommand";

const help = `luvit: LUViT in TypeScript notebooks

  luvit run <notebook.ipynb> [options]   run every code cell, without Python or Jupyter

      --out <folder>    where the executed notebook and the page go (default out/<name>)
      --no-html         write only the executed notebook, not the page
      --html            write the page too (the default)
      --timeout <s>     seconds one cell may take (default: no limit)
      -p <name=value>   a parameter of the notebook; the value is JSON or text, may be given several times

${runHelp}
${kernelHelp}
${engineHelp}
${corruptHelp}
  luvit --help          this text
  luvit --version       the version

Ctrl-C once lets a training step finish and save, then writes what ran; twice stops at once.
Exit status: 0 done or all cells ran, 1 something failed, 2 wrong usage, 130 interrupted (143 by SIGTERM).
`;

/** Running a notebook changes the current folder to the notebook's. */
const startedIn = process.cwd();

const options = {
  out: { type: "string" },
  html: { type: "boolean" },
  "no-html": { type: "boolean" },
  timeout: { type: "string" },
  parameter: { type: "string", short: "p", multiple: true },
  user: { type: "boolean" },
  "sys-prefix": { type: "boolean" },
  prefix: { type: "string" },
  cuda: { type: "boolean" },
  stock: { type: "boolean" },
  tensorflow: { type: "string" },
  types: { type: "string" },
  severities: { type: "string" },
  frost: { type: "string" },
  size: { type: "string" },
  seed: { type: "string" },
  workers: { type: "string" },
  config: { type: "string" },
  "print-config": { type: "boolean" },
  "print-schema": { type: "boolean" },
  resume: { type: "boolean" },
  shard: { type: "string" },
  merge: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** Runs the command line; returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.version) return print(packageVersion());
    const [command, ...words] = positionals;
    const [path, ...rest] = words;
    if (values.help || command === "help" || command === undefined) return print(help.trimEnd());
    if (command === "engine") {
      if (await engineCommand(words, values, print)) return 0;
      throw usage(`engine takes install, list or remove, not ${words.join(" ") || "nothing"}`);
    }
    if (command === "kernel") {
      if (kernelCommand(words, values, print)) return 0;
      throw usage("kernel takes install, list or remove, and one of --user, --sys-prefix, --prefix <folder>");
    }
    if (command === "corrupt") {
      const status = await corruptCommand(words, values, print);
      if (status !== undefined) return status;
      throw usage("corrupt takes a folder of pictures and a folder to write to");
    }
    if (isRunCommand(command)) {
      const { runCommand } = await import("./commandLine/commands");
      const status = await runCommand(command, words, values, print);
      if (typeof status === "number") return status;
      throw usage(status);
    }
    if (command !== "run") throw usage(`unknown command ${command}`);
    if (path === undefined || rest.length > 0) throw usage("run takes one notebook");
    const report = await runNotebook(path, {
      out: values.out,
      html: values["no-html"] !== true,
      timeout: seconds(values.timeout),
      parameters: Object.fromEntries((values.parameter ?? []).map(parseParameter)),
    });
    return finish(report);
  } catch (error) {
    const wrongUsage =
      (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") || error instanceof UsageError;
    if (wrongUsage)
      process.stderr.write(
        `luvit: ${printableLines((error as Error).message)}\nluvit --help lists the options.\n`,
      );
    else if (error instanceof LuvitError) process.stderr.write(`luvit: ${error.message}\n`);
    else throw error;
    return wrongUsage ? 2 : 1;
  }
}

class UsageError extends Error {}

function usage(message: string): UsageError {
  return new UsageError(message);
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw usage(`--timeout takes a number of seconds above 0, got ${text}`);
  return value;
}

function finish(report: RunReport): number {
  const ran = report.cells.filter((cell) => cell.status !== "not run").length;
  const word = { ok: "done", failed: "failed", interrupted: "interrupted" }[report.outcome];
  print(`${word}: ${ran} of ${report.cells.length} cells in ${formatDuration(report.seconds)}`);
  for (const path of [report.notebookPath, report.pagePath])
    if (path) print(`  ${relative(startedIn, path)}`);
  if (report.outcome === "ok" && report.closingText) process.stdout.write(`${report.closingText}\n`);
  return { ok: 0, failed: 1, interrupted: 130 }[report.outcome];
}

function print(text: string): 0 {
  process.stdout.write(`${printableLines(text)}\n`);
  return 0;
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((status) => process.stdout.write("", () => process.exit(status)));
}
