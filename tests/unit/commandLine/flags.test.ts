import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { imagesFrom } from "../../../src/commandLine/images";
import { main } from "../../../src/commandLine/main";
import { fusionOf } from "../../../src/commandLine/models";
import { notebookCommand } from "../../../src/commandLine/notebookCommand";
import { engineCache } from "../../../src/core/engineCache";
import { tableOf } from "../../../src/io/tables";
import { temporaryFolder } from "../train/support";

import answering = require("../../../src/train/ask");
import codeCaches = require("../../../src/kernel/compiler/codeCache");
import compilers = require("../../../src/kernel/compiler/createCompiler");
import corrupting = require("../../../src/data/corruptions/generate");
import engines = require("../../../src/engine/install/install");
import folders = require("../../../src/data/imageFolder");
import fusing = require("../../../src/models/fusion");
import huggingFaceSets = require("../../../src/data/sets/huggingFace");
import imageNet = require("../../../src/data/sets/imageNet1k");
import kernelPlaces = require("../../../src/kernel/spec/folders");
import kernels = require("../../../src/kernel/spec/install");
import knownEngines = require("../../../src/engine/install/cache");
import llavits = require("../../../src/models/openLlavit");
import loras = require("../../../src/models/lora");
import machine = require("../../../src/engine/install/mpi");
import merging = require("../../../src/analysis/suite/merge");
import models = require("../../../src/models/llama");
import notebooks = require("../../../src/kernel/runNotebook");
import planning = require("../../../src/commandLine/planCommand");

/*
 * Every flag and word of the commands that need no configuration reaches the function that does the work, which only notes
 * here what it is handed.
 */

const folder = temporaryFolder();
const here = (name: string) => join(folder, name);

async function luvit(...words: string[]) {
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main(words, { print: hear, complain: hear });
  return { status, said: said.join("\n") };
}

/** What a function is handed, whatever that is. */
type Handed = ReturnType<typeof JSON.parse>;

/** Takes a function's place, gives `result`, and notes what it was handed. */
function noted(t: TestContext, module: object, name: string, result: unknown): unknown[][] {
  const calls: unknown[][] = [];
  const note = (...given: unknown[]) => {
    calls.push(given);
    return result;
  };
  t.mock.method(module as Record<string, () => unknown>, name, note);
  return calls;
}

test("corrupt hands on both folders and every flag", async (t) => {
  const run = { report: { count: 0 }, toString: () => "the run", async *[Symbol.asyncIterator]() {} };
  const calls = noted(t, corrupting, "generate", Promise.resolve(run));
  const words = "--types fog,snow --severities 1,5 --frost photos --size 64 --seed 3 --workers 2 --shard 2/3";
  const { status, said } = await luvit("corrupt", "from", "to", ...words.split(" "));
  assert.deepEqual([status, said], [0, "the run"]);
  const [from, to, options] = calls[0];
  assert.deepEqual([from, to], ["from", "to"]);
  assert.deepEqual(options, {
    ...{ types: ["fog", "snow"], severities: [1, 5], frost: "photos", size: 64, seed: 3, workers: 2 },
    shard: { index: 2, count: 3 },
  });
  await luvit("corrupt", "from", "to");
  for (const value of Object.values(calls[1][2] as object)) assert.equal(value, undefined);
  for (const wrong of ["--size=1.5", "--seed=-1", "--workers=", "--severities=1,,2", "--size=1e2"])
    assert.match((await luvit("corrupt", "from", "to", wrong)).said, /takes whole numbers, got/, wrong);
  assert.equal(calls.length, 2);
});

test("answer hands on the model, the image, the question and every flag, and prints the answer", async (t) => {
  const model = {};
  const opened = noted(t, llavits, "openLlavit", Promise.resolve(model));
  const asked = noted(t, answering, "ask", Promise.resolve("a star"));
  const words = "--temperature 0.5 --seed 3 --max-tokens 9 --engine onnxruntime --provider cpu";
  const others = "--precision float16 --frozen int8 --threads 2";
  const { status, said } = await luvit(
    "answer",
    "model",
    "image",
    "what?",
    ...`${words} ${others}`.split(" "),
  );
  assert.deepEqual([status, said], [0, "a star"]);
  assert.deepEqual(opened, [["model"]]);
  assert.equal(asked[0][0], model);
  assert.deepEqual(asked[0].slice(1), [
    "image",
    "what?",
    {
      ...{ temperature: 0.5, seed: 3, maxTokens: 9, engine: "onnxruntime", provider: "cpu" },
      ...{ precision: "float16", frozen: "int8", threads: 2 },
    },
  ]);
  for (const wrong of ["--temperature= ", "--seed=x", "--max-tokens=Infinity", "--engine=", "--frozen=int4"])
    assert.equal((await luvit("answer", "model", "image", "what?", wrong)).status, 2, wrong);
  assert.equal((await luvit("answer", "model", "image", "what?", "more")).status, 2);
  assert.equal(asked.length, 1);
});

test("run hands on the notebook, where it goes, how long a cell may take and the parameters, and says how it ended", async (t) => {
  writeFileSync(here("a.ipynb"), "{}");
  const cell = (status: string) => ({ status });
  const report = {
    cells: [cell("ok"), cell("failed"), cell("not run")],
    outcome: "ok",
    seconds: 61,
    notebookPath: here("out/a.ipynb"),
    pagePath: undefined as string | undefined,
    closingText: "the last word",
  };
  const calls = noted(t, notebooks, "runNotebook", Promise.resolve(report));
  const words = [
    "--out",
    here("out"),
    "--no-html",
    "--timeout",
    "1.5",
    "-p",
    "a=1",
    "-p",
    "b=x=y",
    "--parameter",
    "c=[2]",
  ];
  const { status, said } = await luvit("run", here("a.ipynb"), ...words);
  assert.equal(status, 0);
  assert.match(said, /^done: 2 of 3 cells in .+\n {2}.*out\/a\.ipynb\nthe last word$/);
  const parameters = { a: 1, b: "x=y", c: [2] };
  assert.deepEqual(calls[0], [here("a.ipynb"), { out: here("out"), html: false, timeout: 1.5, parameters }]);
  await luvit("run", here("a.ipynb"), "--html");
  const usual = { out: undefined, html: true, timeout: undefined, parameters: {} };
  assert.deepEqual(calls[1], [here("a.ipynb"), usual]);
  // A notebook runs in its own folder; what it says is seen from where the command was called.
  const started = process.cwd();
  t.after(() => process.chdir(started));
  process.chdir(folder);
  for (const [outcome, expected, word] of [
    ["failed", 1, "failed"],
    ["interrupted", 130, "interrupted"],
  ] as const) {
    Object.assign(report, { outcome, pagePath: here("out/a.html") });
    const ended = await luvit("run", here("a.ipynb"));
    assert.equal(ended.status, expected);
    assert.match(ended.said, new RegExp(`^${word}: 2 of 3 cells in .+\n`));
    const files = ["out/a.ipynb", "out/a.html"].map((name) => `  ${relative(started, here(name))}`);
    assert.deepEqual(ended.said.split("\n").slice(1), files);
  }
  for (const timeout of ["-1", "Infinity", " ", "1s"])
    assert.equal((await luvit("run", here("a.ipynb"), `--timeout=${timeout}`)).status, 2, timeout);
});

test("of several workers each but the first runs a notebook into a folder of its own, and says nothing", async (t) => {
  writeFileSync(here("b.ipynb"), "{}");
  const report = { cells: [], outcome: "ok", seconds: 1, notebookPath: "x", closingText: "" };
  const calls = noted(t, notebooks, "runNotebook", Promise.resolve(report)) as [
    string,
    Record<string, Handed>,
  ][];
  const [rank, size] = ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"];
  t.after(() => {
    delete process.env[rank];
    delete process.env[size];
  });
  Object.assign(process.env, { [rank]: "2", [size]: "4" });
  const print = () => {};
  const run = (flags: object) => notebookCommand.run({ words: [here("b.ipynb")], flags, print } as never);
  const complained: string[] = [];
  t.mock.method(process.stderr, "write", (text: string) => complained.push(text) > 0);
  await run({ out: "there" });
  await run({});
  assert.deepEqual(
    calls.map(([, { out }]) => out),
    [join("there", "worker-3"), join("out", "b", "worker-3")],
  );
  assert.deepEqual(complained, []);
  calls.length = 0;
  const speaking =
    (outcome: string) =>
    async (_: string, { terminal }: Record<string, Handed>) => {
      for (let line = 1; line <= 45; line++) assert.equal(terminal.write(`line ${line}\n`), true);
      return { ...report, outcome };
    };
  const last = Array.from({ length: 40 }, (_, i) => `line ${i + 6}\n`).join("");
  for (const [outcome, status, told] of [
    ["ok", 0, []],
    ["interrupted", 130, []],
    ["failed", 1, [last]],
  ] as const) {
    complained.length = 0;
    t.mock.method(notebooks, "runNotebook", speaking(outcome) as never);
    assert.deepEqual([await run({}), complained], [status, told], "what failed is in the last 40 lines");
  }
  complained.length = 0;
  Object.assign(process.env, { [rank]: "1" });
  assert.deepEqual([await run({}), complained], [1, [last]], "the second worker, too");
});

test("engine installs what the flags name, lists what is there and removes what is named", async (t) => {
  const engine = {
    ...{ name: "cuda-2.20", tfjs: "4.22.0", bytes: 1_234_567_890 },
    ...{ installed: "2030-01-02T03:04:05Z", folder: "/cache/cuda-2.20" },
  };
  const installed = noted(t, engines, "installEngine", Promise.resolve(engine)) as [Record<string, Handed>][];
  for (const [words, variant, tensorflow] of [
    [[], "cpu", undefined],
    [["--cuda", "--tensorflow", "2.20"], "cuda", "2.20"],
    [["--tensorflow", "2.19"], "cpu", "2.19"],
    [["--stock"], "stock", undefined],
  ] as const) {
    const { status, said } = await luvit("engine", "install", ...words);
    assert.equal(status, 0);
    assert.match(
      said,
      /^installed in \d+ s: cuda-2\.20 \(tfjs-node-gpu 4\.22\.0, 1235 MB, 2030-01-02\) in \/cache/,
    );
    const { variant: kind, tensorflow: version, report } = installed.at(-1)![0];
    assert.deepEqual([kind, version, typeof report], [variant, tensorflow, "function"]);
  }
  const mpi = { mpi: "Open MPI 5", workers: 2, path: "/cache/mpi.node" };
  const built = noted(t, machine, "installMpi", Promise.resolve(mpi));
  assert.deepEqual(await luvit("engine", "install", "--mpi"), {
    status: 0,
    said: "Open MPI 5: summed over 2 in /cache/mpi.node",
  });
  assert.equal(typeof built[0][0], "function");
  for (const wrong of [
    ["--mpi", "--cuda"],
    ["--mpi", "--stock"],
    ["--mpi", "--tensorflow", "2"],
    ["--stock", "--tensorflow", "2"],
    ["--cuda", "--stock"],
    ["more"],
    ["--mpi", "more"],
  ])
    assert.equal((await luvit("engine", "install", ...wrong)).status, 2, wrong.join(" "));
  assert.deepEqual([installed.length, built.length], [4, 1]);

  const listed: unknown[] = [engine];
  const asked = noted(t, knownEngines, "installedEngines", listed);
  assert.match((await luvit("engine", "list")).said, /^cuda-2\.20 \(/);
  assert.deepEqual(asked, [[{ here: false }]], "those of other machines too");
  listed.length = 0;
  assert.equal(
    (await luvit("engine", "list")).said,
    `no engines in ${engineCache()}; luvit engine install makes one`,
  );
  assert.equal((await luvit("engine", "list", "more")).status, 2);

  const names: string[] = ["a", "b"];
  const removed = noted(t, engines, "removeEngines", names);
  assert.equal((await luvit("engine", "remove", "a", "b")).said, "removed a, b");
  await luvit("engine", "remove");
  assert.deepEqual(removed, [[["a", "b"]], [undefined]]);
  names.length = 0;
  assert.equal((await luvit("engine", "remove")).said, `no engines in ${engineCache()}`);
});

test("kernel lists and removes at the place that is named, for this user where none is", async (t) => {
  const places = noted(t, kernelPlaces, "kernelFolder", "/place");
  const found: string[] = [];
  const asked = noted(t, kernelPlaces, "installedFolders", found);
  const foreign: string[] = [];
  noted(t, kernels, "foreignFiles", foreign);
  let isThere = true;
  t.mock.method(kernels, "removeKernel", () => isThere);
  const known = { platform: process.platform, env: process.env, home: homedir() };
  assert.match(
    (await luvit("kernel", "list")).said,
    /^the kernel is not installed; luvit kernel install does it$/,
  );
  found.push("/a", "/b");
  assert.equal((await luvit("kernel", "list")).said, "/a\n/b");
  assert.deepEqual(asked, [[known], [known]]);
  for (const [words, target] of [
    [[], "user"],
    [["--user"], "user"],
    [["--sys-prefix"], "sys-prefix"],
    [["--prefix", "/p"], { prefix: "/p" }],
  ] as const) {
    assert.equal((await luvit("kernel", "remove", ...words)).said, "removed /place");
    assert.deepEqual(places.at(-1), [target, known]);
  }
  foreign.push("mine.txt", "other");
  const left = "removed /place; left there, as they are not the kernel's: mine.txt, other";
  assert.equal((await luvit("kernel", "remove")).said, left);
  isThere = false;
  assert.equal((await luvit("kernel", "remove")).said, "nothing to remove in /place");
  for (const wrong of [
    ["remove", "--link"],
    ["list", "--link"],
    ["list", "more"],
    ["remove", "--user", "--prefix", "p"],
  ])
    assert.equal((await luvit("kernel", ...wrong)).status, 2, wrong.join(" "));
});

test("a kernel is a copy unless it is to be a link, and what was done is said", async (t) => {
  noted(t, kernelPlaces, "kernelFolder", "/place");
  const installed = noted(t, kernels, "installKernel", 12_600_000);
  const compiled: string[] = [];
  const compiler = { compile: (text: string) => compiled.push(text), close: () => compiled.push("closed") };
  noted(t, compilers, "createCompiler", compiler);
  const kept = noted(t, codeCaches, "keepCode", undefined);
  const copy = await luvit("kernel", "install", "--prefix", "/p");
  const text = 'installed "TypeScript · LUViT" in /place: a copy of 13 MB, which needs this place no more';
  assert.deepEqual(copy, { status: 0, said: text });
  const link = await luvit("kernel", "install", "--link");
  assert.deepEqual(link, { status: 0, said: 'installed "TypeScript · LUViT" in /place: runs from here' });
  assert.deepEqual(installed, [
    ["/place", { copy: true }],
    ["/place", { copy: false }],
  ]);
  assert.deepEqual(
    [kept.length, compiled.length, compiled[1]],
    [2, 4, "closed"],
    "the compiler is warm, and closed",
  );
});

test("plan hands on workers, network and seconds, 10 gigabits and two minutes where nothing is said", async (t) => {
  const calls = noted(t, planning, "planCommand", Promise.resolve(0));
  const words = "--config f --workers 8 --network 2.5 --seconds 0.5".split(" ");
  assert.equal((await luvit("plan", ...words)).status, 0);
  assert.equal(
    (await luvit("plan", "--config", "f", "--workers", "1000000", "--network=1e6", "--seconds=604800"))
      .status,
    0,
  );
  await luvit("plan", "--config", "f", "--workers", "1");
  const asked = calls.map(([request]) => {
    const { print: _, ...rest } = request as Record<string, unknown>;
    return rest;
  });
  const same = { file: "f", resume: true };
  assert.deepEqual(asked, [
    { ...same, workers: 8, network: 2.5, seconds: 0.5 },
    { ...same, workers: 1e6, network: 1e6, seconds: 604_800 },
    { ...same, workers: 1, network: 10, seconds: 120 },
  ]);
  for (const wrong of [
    [],
    ["--workers", "1.5"],
    ["--workers", "1000001"],
    ["--workers", "0"],
    ["--workers", "1", "--network", "0"],
    ["--workers", "1", "--network", "1000001"],
    ["--workers", "1", "--network", "NaN"],
    ["--workers", "1", "--seconds", "604801"],
    ["--workers", "1", "--seconds", "-1"],
    ["--workers", "1", "more"],
  ])
    assert.equal((await luvit("plan", "--config", "f", ...wrong)).status, 2, wrong.join(" "));
  assert.equal(calls.length, 3);
});

test("merging hands on the folders, writes lines where there is a folder to write to, and ends with 1 where some are missing", async (t) => {
  const result = { complete: true, table: tableOf({ a: [1] }), toString: () => "merged" };
  const calls = noted(t, merging, "mergeSuites", Promise.resolve(result));
  assert.deepEqual(await luvit("evaluate", "--merge", "a", "b"), { status: 0, said: "merged" });
  assert.deepEqual(await luvit("evaluate", "--merge", "c", "--out", here("merged")), {
    status: 0,
    said: "merged",
  });
  assert.deepEqual(calls, [
    [["a", "b"], undefined],
    [["c"], here("merged")],
  ]);
  assert.equal(readFileSync(here("merged/results.jsonl"), "utf8"), '{"a":1}\n');
  assert.ok(!existsSync("results.jsonl"));
  result.complete = false;
  assert.equal((await luvit("evaluate", "--merge", "a")).status, 1);
});

test("images are opened as their kind has it, in the part that is named or that is usual", async (t) => {
  const set = { take: (count: number) => ({ taken: count }) };
  const opened = {
    folder: noted(t, folders, "imageFolder", Promise.resolve(set)),
    imageNet1k: noted(t, imageNet, "imageNet1k", Promise.resolve(set)),
    huggingFace: noted(t, huggingFaceSets, "huggingFace", Promise.resolve(set)),
  };
  const transform = { size: 8 } as never;
  const path = (relative: string) => `/at/${relative}`;
  const open = (config: object, usual: "train" | "val") =>
    imagesFrom({ path: "p", ...config } as never, transform, usual, path);
  assert.equal(await open({}, "train"), set as never);
  assert.deepEqual(await open({ kind: "folder", take: 3 }, "val"), { taken: 3 });
  await open({ kind: "imageNet1k", partial: true }, "val");
  await open({ kind: "imageNet1k", part: "train" }, "val");
  await open({ kind: "huggingFace" }, "val");
  await open({ kind: "huggingFace" }, "train");
  await open({ kind: "huggingFace", part: "test" }, "val");
  assert.deepEqual(opened, {
    folder: [
      ["/at/p", { transform }],
      ["/at/p", { transform }],
    ],
    imageNet1k: [
      ["/at/p", "val", { transform, partial: true }],
      ["/at/p", "train", { transform, partial: undefined }],
    ],
    huggingFace: [
      ["/at/p", { transform, split: "validation" }],
      ["/at/p", { transform, split: "train" }],
      ["/at/p", { transform, split: "test" }],
    ],
  });
});

test("a block is one of this machine where its path is, else of the hub, with its number, its LoRA and its place", async (t) => {
  writeFileSync(here("llama"), "");
  const block = {};
  const loaded = noted(t, models, "loadBlock", Promise.resolve(block));
  const attached = noted(t, loras, "attach", undefined);
  const through = noted(t, fusing, "through", "the plan");
  const more = { after: 3, normFirst: true, rmsNorm: false, residual: true, mapperBias: true };
  const plan = await fusionOf({ block: "llama", number: 7, lora: { rank: 4 }, ...more } as never, here);
  assert.equal(plan, "the plan");
  await fusionOf({ block: "org/name" } as never, here);
  assert.deepEqual(loaded, [
    [here("llama"), { block: 7 }],
    ["org/name", { block: undefined }],
  ]);
  assert.deepEqual(attached, [[block, { rank: 4 }]]);
  assert.deepEqual(through, [
    [block, more],
    [block, {}],
  ]);
  assert.equal(await fusionOf(undefined, here), undefined);
});
