import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commands, main } from "../../../src/commandLine/main";
import { approve } from "../../support/approved";

/*
 * What the command line says: its help, configurations to start from, and what it makes of words that cannot be.
 */

const folder = mkdtempSync(join(tmpdir(), "luvit-said-"));
const home = process.cwd();
before(() => process.chdir(folder));
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

async function said(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const status = await main(words, {
    print: (line) => lines.push(line),
    complain: (line) => lines.push(`! ${line}`),
  });
  const text = lines.join("\n").replaceAll(folder, "<folder>");
  return [`$ luvit ${words.join(" ")}`, ...text.split("\n"), `status ${status}`];
}

test("the help of everything, and configurations to start from", async () => {
  const lines = await said("--help");
  for (const { name, flags } of commands) {
    lines.push(...(await said(name, "--help")));
    if ("print-config" in flags) lines.push(...(await said(name, "--print-config")));
    lines.push(`${name}: ${JSON.stringify(flags)}`);
  }
  approve("commandLine/help", lines, { exact: true });
});

test("words that cannot be are answered in words, with status 2, files that cannot be with status 1", async () => {
  const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  const good = {
    model: { encoder, decoder: encoder },
    data: { train: { path: "images" } },
    recipe: "pretrainToy",
    out: "out",
  };
  const files: Record<string, unknown> = {
    "good.json": good,
    "wrong.json": {
      ...good,
      recipe: "finetune",
      unknown: 1,
      options: { lr: -1, epochs: 0 },
      engine: { threads: 0 },
    },
    "empty.json": {},
    "list.json": [],
  };
  for (const [name, value] of Object.entries(files)) writeFileSync(name, JSON.stringify(value));
  writeFileSync("broken.json", '{ "model": \n  oops }');
  writeFileSync("plain.txt", "text");
  const lines: string[] = [];
  const tried = [
    ["nosuch"],
    ["pretrian"],
    ["--nosuch"],
    ["run"],
    ["run", "nosuch.ipynb"],
    ["run", "plain.txt"],
    ["run", "a", "b"],
    ["run", "a", "--timeout", "0"],
    ["run", "a", "--timeout", "x"],
    ["run", "a", "-p", "x"],
    ["kernel"],
    ["kernel", "nosuch"],
    ["kernel", "install", "extra"],
    ["engine"],
    ["engine", "nosuch"],
    ["engine", "install", "--cuda", "--stock"],
    ["corrupt"],
    ["corrupt", "a"],
    ["corrupt", "nosuch", "out"],
    ["corrupt", "a", "b", "--shard", "0/2"],
    ["corrupt", "a", "b", "--shard", "3/2"],
    ["corrupt", "a", "b", "--shard", "x"],
    ["corrupt", "a", "b", "--severities", "6"],
    ["corrupt", "a", "b", "--types", "nosuch"],
    ["corrupt", "a", "b", "--workers", "-1"],
    ["answer"],
    ["answer", "nosuch"],
    ...["pretrain", "finetune", "distill", "evaluate", "detect", "segment", "entropy", "plan"].flatMap(
      (name) => [
        [name],
        [name, "--config"],
        [name, "--config", "nosuch.json"],
        [name, "--config", "broken.json"],
        [name, "--config", "empty.json"],
        [name, "--config", "list.json"],
        [name, "--config", "wrong.json"],
        [name, "--config", "."],
        [name, "word"],
        [name, "--confg", "a"],
      ],
    ),
    ["evaluate", "--config", "good.json", "--shard", "0/3"],
    ["evaluate", "--config", "good.json", "--shard", "4/3"],
    ["plan", "--config", "good.json", "--workers", "0"],
    ["plan", "--config", "good.json", "--network", "x"],
    ["pretrain", "--config", "good.json"],
  ];
  for (const words of tried) lines.push(...(await said(...words)));
  approve("commandLine/refused", lines);
});
