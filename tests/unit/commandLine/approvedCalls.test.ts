import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { command, readCall, UsageError } from "../../../src/commandLine/command";
import { elsewhere, engine, out, trainingEngine } from "../../../src/commandLine/commonConfig";
import {
  detectConfig,
  detectEvaluateConfig,
  detectorModel,
  scenes,
} from "../../../src/commandLine/detectConfig";
import { failureText } from "../../../src/commandLine/failureText";
import { entriesOf, expectFile, expectFolderOrNothing } from "../../../src/commandLine/folders";
import { parseJsonWithComments } from "../../../src/commandLine/jsonc";
import { main } from "../../../src/commandLine/main";
import { maeModel, trainedModel, tunedModel } from "../../../src/commandLine/modelConfig";
import { encoderOf, expectNothingBeside, fusionOf, shapeOf } from "../../../src/commandLine/models";
import { afterShard, calledBy, wordsOf } from "../../../src/commandLine/request";
import { shardOf } from "../../../src/commandLine/runCommands";
import { configs, loadConfig } from "../../../src/commandLine/runConfig";
import { commentedStart } from "../../../src/commandLine/schema";
import { segmentConfig, segmentEvaluateConfig } from "../../../src/commandLine/segmentConfig";
import { Stopping } from "../../../src/commandLine/signals";
import { announce, freeFolder, given } from "../../../src/commandLine/trainCommand";
import { writeLines } from "../../../src/commandLine/writeLines";
import { LuvitError } from "../../../src/core/errors";
import { entry, flag, object, problemsOf, text, whole } from "../../../src/core/options";
import { tableOf } from "../../../src/io/tables";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

const say = (value: unknown) => JSON.stringify(value, (_, one) => (one === undefined ? "undefined" : one));

/** Runs with some of the environment changed. */
async function within<Result>(
  change: Record<string, string | undefined>,
  body: () => Promise<Result> | Result,
): Promise<Result> {
  const before = Object.fromEntries(Object.keys(change).map((name) => [name, process.env[name]]));
  const set = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  };
  set(change);
  try {
    return await body();
  } finally {
    set(before);
  }
}

test("words, files and failures of the command line are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const own = command({
    name: "own",
    help: "h",
    flags: {
      name: { type: "string", short: "n" },
      on: { type: "boolean" },
      many: { type: "string", multiple: true },
    },
    run: async () => 0,
  });
  for (const args of [
    [],
    ["a", "b"],
    ["--name", "x"],
    ["-n", "x"],
    ["-nx"],
    ["--name=x", "--on"],
    ["--many", "1", "--many", "2"],
    ["--name", "x", "--name", "y"],
    ["--help"],
    ["-h", "a"],
    ["--on", "--help"],
    ["--", "--name"],
    ["--nam", "x"],
    ["--zzz"],
    ["-z"],
    ["--on=1"],
    ["--name"],
    ["-", "x"],
    ["--no-on"],
  ])
    await calls
      .does(`own ${args.join(" ")}`, () => {
        const call = readCall(own, args);
        return call && [call.words, { ...call.flags }];
      })
      .then(() => calls.lines.push(calls.lines.pop()!.replace(/(own: Option '[^']*' ).*/, "$1…")));
  await calls.does("no flags", () =>
    readCall(command({ name: "none", help: "", flags: {}, run: async () => 0 }), ["--x"]),
  );
  for (const name of ["pretrain", "detect", "detectEvaluate", "segmentEvaluate"] as const)
    await calls.of(calledBy, name);
  const request = { file: "a/b c.json", resume: false, print: () => {} };
  for (const change of [
    {},
    { file: "plain-1.0_x@%+=:,.json" },
    { out: "o'x" },
    { seed: 0 },
    { seed: 7, out: "$(x)" },
    { shard: { index: 2, count: 3 } },
    { file: "é" },
    { file: "" },
  ]) {
    await calls.does(`words ${say(change)}`, () => wordsOf({ ...request, ...change }));
  }
  await calls.does("after a shard", () =>
    afterShard("entropy", { ...request, seed: 3, shard: { index: 2, count: 3 } }, { index: 2, count: 3 }),
  );
  calls.title("shards");
  const nowhere = {
    SLURM_PROCID: undefined,
    SLURM_NTASKS: undefined,
    SLURM_ARRAY_TASK_ID: undefined,
    SLURM_ARRAY_TASK_COUNT: undefined,
    JOB_COMPLETION_INDEX: undefined,
    OMPI_COMM_WORLD_SIZE: undefined,
    OMPI_COMM_WORLD_RANK: undefined,
    PMI_SIZE: undefined,
    PMI_RANK: undefined,
  };
  for (const shard of [
    undefined,
    "1/1",
    "2/3",
    "3/3",
    "4/3",
    "0/3",
    "1/0",
    "-1/3",
    "1.5/3",
    "1/",
    "x",
    "",
    "1/1000000",
    "999999/999999",
    " 1/2",
    "auto",
    "auto/4",
    "auto/0",
    "auto/",
    "AUTO",
  ])
    await calls.does(`shard ${shard}`, () => within(nowhere, () => shardOf(shard)));
  for (const env of [
    { OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_RANK: "2" },
    { JOB_COMPLETION_INDEX: "2" },
    { SLURM_ARRAY_TASK_ID: "2", SLURM_ARRAY_TASK_COUNT: "5" },
  ])
    for (const shard of [undefined, "auto", "auto/6", "1/2"])
      await calls.does(`shard ${shard} with ${say(env)}`, () =>
        within({ ...nowhere, ...env }, () => shardOf(shard)),
      );
  calls.title("folders");
  writeFileSync(join(folder, "file"), "x");
  mkdirSync(join(folder, "empty"));
  mkdirSync(join(folder, "full"));
  writeFileSync(join(folder, "full", "x"), "x");
  symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
  for (const name of ["file", "empty", "full", "none", "file/x", "dangling"]) {
    const path = join(folder, name);
    await calls.does(`entries of ${name}`, () => entriesOf(path));
    await calls.does(`folder ${name}`, () => expectFolderOrNothing(path));
    await calls.does(`file ${name}`, () => expectFile(path, "a thing"));
    await calls.does(`free ${name}`, () => freeFolder({ ...request, out: undefined }, path));
    await calls.does(`resumed ${name}`, () => freeFolder({ ...request, resume: true }, path));
  }
  await calls.does("empty name", () => entriesOf(""));
  await calls.does("nothing", () => expectFolderOrNothing(undefined));
  await calls.does("asked before configured", () =>
    freeFolder({ ...request, out: join(folder, "none") }, join(folder, "full")),
  );
  await calls.does("not the first worker", () =>
    within({ OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "1" }, () =>
      freeFolder(request, join(folder, "full")),
    ),
  );
  await calls.once("lines", () =>
    writeLines(
      join(folder, "new", "l.jsonl"),
      tableOf({ a: [1, 2.5], é: ["x", null], c: [true, false] } as never),
    ),
  );
  calls.note("written", readFileSync(join(folder, "new", "l.jsonl"), "utf8"));
  calls.title("JSON with comments");
  for (const json of [
    "{}",
    '{"a": 1, // x\r\n "b": [1, 2,], /* y */ }',
    '"//"',
    "",
    "{",
    '{"a" 1}',
    '{"a": 1\n"b": 2}',
    "[1 2]",
    "{'a': 1}",
    '{"a": tru}',
    '{"a": "\\x"}',
    "\ufeff{}",
    "[1,\n\n 2 3]",
    '{"a":1} x',
    "[".repeat(100) + "]".repeat(100),
    "[".repeat(101) + "]".repeat(101),
    '["[", "{"]',
    '{"é": "漢',
  ])
    await calls.does(json.length > 90 ? `${json.length / 2} deep` : json, () => {
      const value = parseJsonWithComments("f.json", json);
      return json.length > 90 ? "read" : value;
    });
  calls.title("failures");
  const failures: [string, unknown][] = [
    ["own", new LuvitError("bad-file", "x: words")],
    [
      "of the system",
      Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC", syscall: "write", path: "/p" }),
    ],
    ["without a path", Object.assign(new Error("EMFILE"), { code: "EMFILE", syscall: "open" })],
    ["a code alone", Object.assign(new Error("m"), { code: "ERR_X" })],
    ["a fault", new TypeError("t is not")],
    ["a text", "words"],
    ["nothing", undefined],
    ["without a stack", Object.assign(new RangeError("r"), { stack: undefined })],
  ];
  for (const [name, error] of failures)
    await calls.does(`failure ${name}`, () =>
      within({ LUVIT_DEBUG: undefined }, () => failureText(error).replace(/\([^()]*:\d+\)/, "(<place>)")),
    );
  await calls.does("with a stack", () =>
    within({ LUVIT_DEBUG: "1" }, () => failureText(failures[0][1]).split("\n").length > 2),
  );
  for (const options of [
    undefined,
    {},
    { lr: 1 },
    { baseLr: 2, epochs: 3 },
    { epochs: 3 },
    { lr: undefined },
  ])
    await calls.of(given, options as never);
  const said: string[] = [];
  announce(
    { ...request, print: (line) => said.push(line) },
    { toString: () => "the model" } as never,
    { name: "r", source: "s", expected: "e", cost: "c", departs: "d" } as never,
  );
  announce(
    { ...request, print: (line) => said.push(line) },
    { toString: () => "the model" } as never,
    { name: "r", source: "s", expected: "e", cost: "c" } as never,
  );
  calls.note("announced", said);
  calls.approve("commandLine/words");
});

test("configurations, entry by entry, are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  calls.note("elsewhere", elsewhere);
  const field = object(
    {
      needed: entry(text, "what it is", "x"),
      inner: entry(object({ a: entry(whole(1, 9), "number", 3) }, {}), "inside"),
    },
    { extra: flag, said: entry(flag, "told", true) },
  );
  calls.note("start", commentedStart(field));
  for (const [name, config] of Object.entries(configs)) {
    calls.note(`${name} starts`, commentedStart(config as never));
    calls.note(`${name} of nothing`, problemsOf(config as never, {}));
  }
  const check = (name: string, of: unknown, value: unknown) =>
    calls.does(`${name} ${say(value)}`, () => problemsOf(of as never, value));
  for (const value of [
    {},
    { images: "i" },
    { root: "r", part: "p" },
    { root: "r", part: "p", take: 0 },
    { root: "r", part: "p", take: 1, partial: 1 },
    { root: "r", part: "p", images: 3, annotations: [] },
  ])
    await check("scenes", scenes, value);
  for (const value of [
    {},
    { preset: "toy" },
    { preset: "x" },
    { encoder: "base16" },
    { encoder: "nano" },
    { encoder: {} },
    { pretrained: "p" },
    { pretrained: 3 },
    { preset: "toy", masks: 3, imageSize: 0, windowSize: -1, globalBlocks: [-1], normEps: 0, seed: -1 },
    { preset: "toy", globalBlocks: [0, 10_000], normEps: 1 },
    { preset: "toy", globalBlocks: [10_001] },
  ])
    await check("detector", detectorModel, value);
  for (const value of [
    {},
    { pretrained: "p" },
    { encoder: "toy" },
    { classes: 3 },
    { encoder: "toy", classes: 0 },
    { encoder: "toy", classes: 3, pooling: "x" },
    { pretrained: "p", fusion: {} },
    { pretrained: "p", fusion: { block: "b", number: 0, lora: { rank: 0 } } },
    { pretrained: "p", fusion: { block: "b", number: 2, lora: { rank: 4 } } },
    { pretrained: "p", fusion: { block: "b", lora: { r: 4 } } },
    { pretrained: "p", fusion: { block: "b", seed: 3 } },
  ])
    await check("tuned", tunedModel, value);
  for (const value of [
    {},
    { encoder: "toy", decoder: "decoderToy" },
    { encoder: "toy", decoder: "x" },
    { encoder: "toy", decoder: "decoderToy", maskRatio: 1, normPixLoss: 1, weights: 3, seed: 1.5 },
  ])
    await check("mae", maeModel, value);
  for (const value of [
    {},
    { weights: "w" },
    { weights: "w", averaged: 1, name: 3, classes: 0 },
    { weights: "w", encoder: "x" },
  ])
    await check("trained", trainedModel, value);
  for (const [name, config] of Object.entries({
    detectConfig,
    detectEvaluateConfig,
    segmentConfig,
    segmentEvaluateConfig,
  }))
    for (const value of [
      {},
      { out: 3, recipe: "x", data: 3, model: 3, options: 3, engine: 3 },
      { engine: { engine: "x" } },
    ])
      await check(name, config, value);
  for (const value of [
    {},
    { engine: "x" },
    { engine: "eager", threads: 0 },
    { provider: "cpu", precision: "float8" },
    { sums: "x" },
  ]) {
    await check("engine", engine, value);
    await check("trainingEngine", trainingEngine, value);
  }
  for (const value of ["", "x", 3]) await check("out", out, value);
  calls.title("files");
  const file = join(folder, "sub", "run.json");
  mkdirSync(join(folder, "sub"));
  for (const json of [
    "",
    "{}",
    "[]",
    "3",
    '{"model": {}, "x": 1}',
    '{"model":{"encoder":"toy","decoder":"decoderToy"},"data":{"train":{"path":"images"}},"recipe":"pretrainToy","out":"../o"}',
  ]) {
    writeFileSync(file, json);
    await calls.does(`pretrain ${json}`, () => {
      const { config, path } = loadConfig("pretrain", file);
      return [config, path("x"), path("../y"), path("/z")];
    });
  }
  await calls.does("no file", () => loadConfig("detectEvaluate", join(folder, "none.json")));
  await calls.does("a folder", () => loadConfig("segment", folder));
  writeFileSync(file, `"${" ".repeat(10_000_000)}"`);
  await calls.once("too long", () => loadConfig("segment", file));
  calls.title("models");
  for (const encoder of ["tiny16", "small16", "base16", "large16", "huge14", "toy"] as const)
    await calls.of(encoderOf, encoder);
  await calls.does("described", () => encoderOf({ imageSize: 3 } as never));
  await calls.does("no fusion", () => fusionOf(undefined, (path) => path));
  await calls.does("shape of a name", () =>
    shapeOf({ encoder: "toy", weights: "w" } as never, (path) => path),
  );
  await calls.does("shape of nothing", () =>
    shapeOf({ weights: join(folder, "none") } as never, (path) => path),
  );
  await calls.does("shape of pretrained nothing", () =>
    shapeOf({ pretrained: join(folder, "none") } as never, (path) => path),
  );
  for (const config of [{}, { fusion: {} }, { fusion: {}, decoder: "d" }, { other: 3 }])
    await calls.does(`nothing beside ${say(config)}`, () =>
      expectNothingBeside(config as { fusion?: object; decoder?: string }, "p", ["fusion", "decoder"]),
    );
  calls.approve("commandLine/configs");
});

test("stopping, and words that a command is called with, are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const listening = () =>
    (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => process.listenerCount(name));
  const before = listening();
  const more = () => listening().map((count, i) => count - before[i]);
  await calls.does("unasked", async () => {
    let within: number[] = [];
    const result = await Stopping.around(
      "step",
      () => {},
      async () => {
        within = more();
        return 7;
      },
    );
    return [result, within, more()];
  });
  await calls.does("a body that fails", () =>
    Stopping.around(
      "step",
      () => {},
      async () => {
        throw new Error("inside");
      },
    ),
  );
  calls.note("listeners left", more());
  const written: string[] = [];
  const write = process.stderr.write;
  const exit = process.exit;
  process.stderr.write = ((line: string) => written.push(line) > 0) as typeof write;
  process.exit = ((status: number) => void written.push(`exit ${status}`)) as typeof exit;
  const quiet = new Map(
    (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => [name, process.listeners(name)]),
  );
  try {
    for (const [name, unit] of [
      ["SIGINT", "step"],
      ["SIGTERM", "batch"],
      ["SIGHUP", "image"],
    ] as const) {
      let stops = 0;
      await calls.once(`${name} twice`, async () => {
        const result = await Stopping.around(
          unit,
          () => void stops++,
          async () => {
            process.emit(name, name);
            process.emit(name, name);
            return stops;
          },
        );
        return [result, more().map(Boolean)];
      });
      for (const each of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
        for (const listener of process.listeners(each))
          if (!quiet.get(each)!.includes(listener)) process.off(each, listener);
    }
  } finally {
    process.stderr.write = write;
    process.exit = exit;
  }
  calls.note("written", written);
  calls.title("words");
  const luvit = (...words: string[]) =>
    calls.once(`luvit ${words.join(" ").replaceAll(folder, "<folder>")}`, async () => {
      const lines: string[] = [];
      const status = await main(words, {
        print: (line) => void lines.push(line),
        complain: (line) => void lines.push(`! ${line}`),
      });
      return [status, lines.map((line) => line.replaceAll(folder, "<folder>").slice(0, 220))];
    });
  writeFileSync(join(folder, "file"), "x");
  const config = join(folder, "file");
  for (const name of ["pretrain", "finetune", "distill", "evaluate", "entropy", "detect", "segment"]) {
    await luvit(name);
    await luvit(name, "word", "--seed", "x");
    await luvit(name, "--config", config, "--seed", "-1");
    await luvit(name, "--config", config, "--seed", "1.5");
    await luvit(name, "--config", config, "--seed", "99999999999999999999");
    await luvit(name, "--config", config, "--out", config);
    await luvit(name, "--config", config, "--seed", "3");
    await luvit(name, "--config", join(folder, "none"));
    await luvit(name, "--config", config, "--shard", "3/2");
  }
  for (const name of ["detect", "segment"]) {
    await luvit(name, "evaluate");
    await luvit(name, "evaluate", "x");
    await luvit(name, "evaluate", "--resume");
    await luvit(name, "evaluate", "--config", config, "--shard", "0/1");
    await luvit(name, "evaluate", "--config", config);
    await luvit(name, "--shard", "1/2");
    await luvit(name, "x", "evaluate");
  }
  for (const words of [
    [],
    ["a", "--config", "c"],
    ["a", "--seed", "1", "--shard", "1/2"],
    ["a", "--out", config],
    [join(folder, "none")],
  ])
    await luvit("evaluate", "--merge", ...words);
  for (const words of [
    [],
    ["--config", config],
    ["--config", config, "--workers", "0"],
    ["--config", config, "--workers", "1.5"],
    ["--config", config, "--workers", "1000001"],
    ["--config", config, "--workers", "2", "--network", "0"],
    ["--config", config, "--workers", "2", "--network", "x"],
    ["--config", config, "--workers", "2", "--seconds", "604801"],
    ["--config", config, "--workers", "2", "x"],
    ["--config", config, "--workers", "2"],
    ["--workers", "2"],
  ])
    await luvit("plan", ...words);
  for (const recipe of ["x", "pretrain", "finetuneX", "supervised", 3, undefined]) {
    writeFileSync(join(folder, "plan.json"), JSON.stringify({ recipe }));
    await luvit("plan", "--config", join(folder, "plan.json"), "--workers", "2");
  }
  for (const words of [
    [],
    ["a"],
    ["a", "b", "c", "d"],
    ["a", "b", "c", "--temperature", "x"],
    ["a", "b", "c", "--temperature", ""],
    ["a", "b", "c", "--seed", "Infinity"],
    ["a", "b", "c", "--max-tokens", "1e"],
    ["a", "b", "c", "--engine", "x"],
    ["a", "b", "c", "--provider", "x"],
    ["a", "b", "c", "--precision", "x"],
    ["a", "b", "c", "--frozen", "x"],
    ["a", "b", "c", "--threads", "x"],
    ["a", folder, "c"],
    [join(folder, "none"), "b", "c"],
  ])
    await luvit("answer", ...words);
  for (const words of [
    [],
    ["a"],
    ["a", "b", "c"],
    ["a", "b", "--size", "x"],
    ["a", "b", "--seed", "-1"],
    ["a", "b", "--workers", "1.5"],
    ["a", "b", "--severities", "1,x"],
    ["a", "b", "--types", "nothing"],
    ["a", "b", "--severities", "6"],
    ["a", "b", "--shard", "2"],
  ])
    await luvit(
      "corrupt",
      ...words.map((word) => (word.length === 1 && /[ab]/.test(word) ? join(folder, `no-${word}`) : word)),
    );
  for (const words of [
    [],
    ["x"],
    ["install", "x"],
    ["install", "--cuda", "--stock"],
    ["install", "--stock", "--tensorflow", "2"],
    ["install", "--mpi", "--cuda"],
    ["list", "x"],
  ])
    await luvit("engine", ...words);
  await within({ LUVIT_ENGINE_CACHE: join(folder, "engines") }, async () => {
    await luvit("engine", "list");
    await luvit("engine", "remove");
    await luvit("engine", "remove", "x");
  });
  for (const words of [
    [],
    ["x"],
    ["install", "x"],
    ["install", "--user", "--sys-prefix"],
    ["install", "--user", "--prefix", "p"],
    ["list", "--link"],
    ["remove", "--link"],
    ["remove", "--prefix", join(folder, "prefix")],
  ])
    await luvit("kernel", ...words);
  for (const words of [
    [],
    ["a", "b"],
    ["a", "--timeout", "0"],
    ["a", "--timeout", "x"],
    ["a", "--timeout", ""],
    ["a", "--timeout", "Infinity"],
    [join(folder, "none.ipynb")],
    [folder],
    [join(folder, "file"), "--out", config],
  ])
    await luvit("run", ...words);
  for (const words of [["nothing"], ["pretrian"], ["--config"], ["-x"], ["help"], ["--version", "x"]])
    await luvit(...words);
  calls.note("usage", new UsageError("u"));
  calls.lines.splice(
    0,
    calls.lines.length,
    ...calls.lines.map((line) =>
      line
        .replace(/(luvit --version x = \[0, \[").*/, "$1…")
        .replace(/Option '--\w+' argument is ambiguous[^"]*/, "…"),
    ),
  );
  calls.approve("commandLine/calls");
});
