// Asks the same questions of this kernel, tslab's own and Deno's, and prints a table in Markdown.
//   npm run kernels                              Deno where LUVIT_DENO names its program, or PATH has one
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../support/temporaryFolder";
import { KernelClient } from "../unit/kernel/client";
import type { Check } from "./check";
import { conformance } from "./conformance";
import { type Dialect, deno, luvit, tslab } from "./dialects";
import { ending, habits } from "./habits";
import { tools } from "./tools";

/** How long a kernel may take over one question. */
const PATIENCE = 10_000;

const questions: readonly Check[] = [...conformance, ...habits, ...tools, ending];

/** Why a question was answered no; undefined for yes. */
type Answers = Map<string, string | undefined>;

async function answersOf(dialect: Dialect): Promise<Answers> {
  const start = () => KernelClient.start(dialect.command, folderWithTslab(), dialect.program);
  const answers: Answers = new Map();
  let kernel = await start();
  for (const check of questions) {
    answers.set(check.name, await problemOf(check, kernel, dialect));
    const isLost = answers.get(check.name) !== undefined && !(await answersStill(kernel));
    if (!isLost) continue;
    kernel.close();
    kernel = await start();
  }
  kernel.close();
  return answers;
}

async function problemOf(check: Check, kernel: KernelClient, dialect: Dialect): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    await Promise.race([check.ask(kernel, dialect), late]);
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  } finally {
    clearTimeout(timer);
  }
}

async function answersStill(kernel: KernelClient): Promise<boolean> {
  const asked = kernel.run("0");
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 5_000, undefined));
  return (
    kernel.exitCode === undefined && (await Promise.race([asked.catch(() => undefined), late])) !== undefined
  );
}

/** Where cells find tslab's displays, as where it is installed. */
function folderWithTslab(): string {
  const folder = temporaryFolder("kernels");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(dirname(require.resolve("tslab/package.json")), join(folder, "node_modules", "tslab"));
  return folder;
}

function denoProgram(): string | undefined {
  const program = process.env.LUVIT_DENO ?? "deno";
  return spawnSync(program, ["--version"]).status === 0 ? program : undefined;
}

async function main(): Promise<void> {
  const program = denoProgram();
  if (program === undefined) console.error("NOT ASKED: Deno (npm i deno; LUVIT_DENO=node_modules/.bin/deno)");
  const dialects = [luvit, ...(program === undefined ? [] : [deno(program)]), tslab];
  const answers = new Map<Dialect, Answers>();
  for (const dialect of dialects) answers.set(dialect, await answersOf(dialect));
  const row = (...cells: string[]) => `| ${cells.join(" | ")} |`;
  const lines = [row("", ...dialects.map(({ name }) => name)), row("---", ...dialects.map(() => "---"))];
  for (const { name } of questions)
    lines.push(
      row(name, ...dialects.map((each) => (answers.get(each)!.get(name) === undefined ? "yes" : "no"))),
    );
  const count = (each: Dialect) => [...answers.get(each)!.values()].filter((why) => why === undefined).length;
  lines.push(row("**of them yes**", ...dialects.map((each) => `**${count(each)} of ${lines.length - 2}**`)));
  console.log(lines.join("\n"));
  for (const dialect of dialects)
    for (const [name, why] of answers.get(dialect)!)
      if (why !== undefined) console.error(`${dialect.name}: ${name}: ${why}`);
}

// What a kernel answers after its question was given up is nobody's any more.
process.on("unhandledRejection", () => {});
void main().then(() => process.exit(0));
