import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { commands, main } from "../../../src/commandLine/main";
import { cliPath } from "../notebook/helpers";
import { temporaryFolder, writeImages } from "../train/support";

/*
 * A walk over all commands with what people type by mistake, and what lies where a file or a folder is expected. Whatever
 * comes, it ends with a status and a sentence, never with a stack.
 */

const folder = temporaryFolder();
const here = (name: string) => join(folder, name);

/** Things that are not what a command wants, by what they are. */
const things = [
  "none",
  "file",
  "empty",
  "folder",
  "pipe",
  "binary",
  "loop",
  "file/below",
  "locked",
  "\u0000",
  "",
];
const model = { encoder: { imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 } };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };

before(async () => {
  await writeImages(here("images"));
  writeFileSync(here("file"), "a text");
  writeFileSync(here("empty"), "");
  writeFileSync(here("binary"), Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 37) % 256)));
  mkdirSync(here("folder"));
  mkdirSync(here("locked"));
  chmodSync(here("locked"), 0o000);
  execFileSync("mkfifo", [here("pipe")]);
  symlinkSync(here("loop"), here("loop"));
  const engine = { engine: "eager" };
  const training = {
    model: { ...model, decoder },
    data: { train: { path: "images" } },
    engine,
    out: "out",
  };
  config("good", { ...training, recipe: "pretrainToy" });
});

function config(name: string, value: unknown): string {
  writeFileSync(here(`${name}.json`), typeof value === "string" ? value : JSON.stringify(value));
  return here(`${name}.json`);
}

/** What a command says, and the status it ends with. */
async function run(...args: string[]): Promise<{ status: number; said: string }> {
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main(args, { print: hear, complain: hear });
  return { status, said: said.join("\n") };
}

/** It failed, and said so as a person would. */
async function fails(...args: string[]): Promise<string> {
  const { status, said } = await run(...args);
  const call = `luvit ${args.map((word) => JSON.stringify(word)).join(" ")}: ${said}`;
  assert.ok(status === 1 || status === 2, `status ${status} of ${call}`);
  assert.match(said, /luvit: .{10}/s, call);
  assert.doesNotMatch(said, /^\s+at .*:\d+/m, call);
  assert.doesNotMatch(said, /fault of luvit's|undefined|\[object/, call);
  return said;
}

test("every command says what it takes, and what it does not", async () => {
  for (const { name, flags } of commands) {
    const { status, said } = await run(name, "--help");
    assert.equal(status, 0);
    for (const flag of Object.keys(flags).filter((one) => one !== "parameter"))
      assert.ok(said.includes(`--${flag}`), `${name} --help does not name --${flag}`);
    assert.match(await fails(name, "--nosuch"), new RegExp(`${name} has no option --nosuch`));
    for (const [flag, { type }] of Object.entries(flags)) {
      if (type === "string") await fails(name, `--${flag}`);
      else await fails(name, `--${flag}=yes`);
    }
  }
});

test("a wrong word names the right one", async () => {
  assert.match(await fails("pretrian"), /Did you mean pretrain\?/);
  assert.match(await fails("--out", "x", "run"), /the command comes first/);
  for (const word of ["", "-", "--", "__proto__", "constructor", "toString"]) await fails(word);
});

test("words that are missing, too many or senseless are wrong usage", async () => {
  const calls = [
    ["run"],
    ["run", "a", "b"],
    ["run", here("file"), "--timeout", "soon"],
    ["run", here("file"), "--timeout", "0"],
    ["run", here("file"), "-p", "no-name"],
    ["kernel"],
    ["kernel", "dance"],
    ["kernel", "install", "--user", "--sys-prefix"],
    ["engine"],
    ["engine", "dance"],
    ["engine", "install", "--cuda", "--stock"],
    ["corrupt"],
    ["corrupt", "a"],
    ["corrupt", "a", "b", "c"],
    ["corrupt", here("images"), here("c"), "--size", "0"],
    ["corrupt", here("images"), here("c"), "--size", "big"],
    ["corrupt", here("images"), here("c"), "--types", "smoke"],
    ["corrupt", here("images"), here("c"), "--severities", "0,6"],
    ["corrupt", here("images"), here("c"), "--workers", "-1"],
    ["evaluate", "--merge"],
  ];
  for (const call of calls) await fails(...call);
  for (const name of ["pretrain", "finetune", "distill", "evaluate", "entropy", "detect", "segment"]) {
    await fails(name);
    await fails(name, "word");
    for (const seed of ["-1", "1.5", "a", "", "1e3", "99999999999999999999"]) {
      await fails(name, "--config", here("good.json"), `--seed=${seed}`);
    }
  }
});

test("what is no file, no configuration or no notebook is named where one is expected", async () => {
  for (const thing of things) {
    await fails("run", here(thing));
    for (const name of ["pretrain", "finetune", "distill", "evaluate", "entropy", "detect", "segment"]) {
      const said = await fails(name, "--config", thing === "" ? "" : here(thing));
      assert.match(
        said,
        /no such file|no file|not JSON|ENOTDIR|ELOOP|EACCES|null bytes|is a folder/i,
        `${name} ${thing}`,
      );
    }
  }
  await fails("pretrain", "--config", ".");
});

test("what is no folder is named where results are to go, before anything is computed", async () => {
  for (const thing of ["file", "pipe", "loop", "file/below", "\u0000", ""]) {
    const out = thing === "" ? "" : here(thing);
    const said = await fails("pretrain", "--config", here("good.json"), `--out=${out}`);
    assert.match(said, /expected a folder to write to/, thing);
    await fails("run", here("file"), `--out=${out}`);
    await fails("evaluate", "--merge", here("folder"), `--out=${out}`);
    await fails("evaluate", "--config", here("good.json"), `--out=${out}`);
  }
  assert.match(await fails("pretrain", "--config", here("good.json"), "--out", folder), /holds something/);
  for (const thing of ["file", "pipe", "file/below"]) {
    await fails("kernel", "install", "--prefix", here(thing));
    await fails("corrupt", here("images"), here(thing));
  }
});

test("what is no data set and no folder of answers is named", async () => {
  for (const thing of things) {
    const data = { train: { path: thing === "" ? " " : thing } };
    const file = config("data", {
      model: { ...model, decoder },
      data,
      recipe: "pretrainToy",
      out: "out-data",
    });
    await fails("pretrain", "--config", file);
    await fails("evaluate", "--merge", here(thing));
    await fails("corrupt", here(thing), here("corrupted"));
  }
});

test("places where the system makes no folders are an error, not a wait for ever", async (t) => {
  if (process.platform !== "linux") return t.skip("without /proc");
  writeFileSync(here("one.ipynb"), JSON.stringify({ nbformat: 4, metadata: {}, cells: [] }));
  for (const call of [
    ["corrupt", here("images"), "/proc/luvit/below", "--types", "fog"],
    ["kernel", "install", "--prefix", "/proc/luvit"],
    ["run", here("one.ipynb"), "--out", "/proc/luvit/below"],
  ])
    assert.match(await fails(...call), /\/proc\/luvit/);
});

test("configurations that nobody can mean are refused", async () => {
  const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
  const texts = [
    "null",
    "[]",
    '"a"',
    "1e999",
    "{",
    "{}}",
    "\uFEFF{}",
    deep,
    `{"model":${deep}}`,
    '{"__proto__":{"recipe":"pretrainToy"}}',
    '{"constructor":1,"toString":2}',
    '{"model":{"encoder":{"__proto__":1}}}',
    '{"model":"\u0000","out":"\u001b[31m"}',
  ];
  for (const text of texts) {
    for (const name of ["pretrain", "finetune", "distill", "evaluate", "entropy", "detect", "segment"]) {
      await fails(name, "--config", config("strange", text));
    }
  }
  const good = { model: { ...model, decoder }, data: { train: { path: "images" } }, recipe: "pretrainToy" };
  const wrong = [{ minLr: 1 }, { epochs: 1e9 }, { warmupEpochs: 99 }, { seed: -1 }, { batchSize: 1_000_000 }];
  for (const options of wrong)
    await fails("pretrain", "--config", config("wrong", { ...good, options, out: "o" }));
});

/** The command line as a process of its own, whose reader goes away after the first line. */
async function withoutReader(...args: string[]): Promise<{ status: number | null; errors: string }> {
  const child = spawn(process.execPath, [cliPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const status = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  return { status, errors };
}

test("a reader that goes away ends neither a listing nor a run", async () => {
  const listing = await withoutReader("--help");
  assert.deepEqual(listing, { status: 0, errors: "" });
  const options = { epochs: 3, batchSize: 4 };
  const good = { model: { ...model, decoder }, data: { train: { path: "images" } }, recipe: "pretrainToy" };
  const file = config("long", { ...good, options, engine: { engine: "eager" }, out: "out-long" });
  const run = await withoutReader("pretrain", "--config", file);
  assert.equal(run.status, 0, run.errors);
  assert.doesNotMatch(run.errors, /EPIPE/);
  assert.ok(readdirSync(here("out-long")).includes("metrics.arrow"));
});

test("a terminal that is closed, and SIGTERM, let a run save", async () => {
  const good = { model: { ...model, decoder }, data: { train: { path: "images" } }, recipe: "pretrainToy" };
  for (const [signal, expected] of [
    ["SIGHUP", 129],
    ["SIGTERM", 143],
  ] as const) {
    const out = `out-${signal}`;
    const options = { epochs: 5000, batchSize: 4 };
    const file = config(out, { ...good, options, engine: { engine: "eager" }, out });
    const child = spawn(process.execPath, [cliPath, "pretrain", "--config", file]);
    let said = "";
    const hear = (chunk: Buffer) => {
      said += String(chunk);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const running = setInterval(() => {
      try {
        if (readdirSync(here(out)).includes("metrics.jsonl")) child.kill(signal);
      } catch {} // not there yet
    }, 50);
    const status = await ended;
    clearInterval(running);
    assert.ok(status === expected, `${status}: ${said}`);
    assert.doesNotMatch(said, /^\s+at .*:\d+/m);
  }
});
