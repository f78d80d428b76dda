import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCall, UsageError } from "../../../src/commandLine/command";
import { parseJsonWithComments } from "../../../src/commandLine/jsonc";
import { commands as allCommands, main } from "../../../src/commandLine/main";
import { trainedFrom } from "../../../src/commandLine/models";
import type { RunCommandName } from "../../../src/commandLine/request";
import { configs, loadConfig } from "../../../src/commandLine/runConfig";
import { commentedStart } from "../../../src/commandLine/schema";
import { LuvitError } from "../../../src/core/errors";
import { jsonSchemaOf, type ObjectField } from "../../../src/core/options";
import { assertThrows, temporaryFolder } from "../train/support";

const commands = Object.keys(configs) as RunCommandName[];
const folder = temporaryFolder();

function write(text: string): string {
  const file = join(folder, "run.json");
  writeFileSync(file, text);
  return file;
}

const start = (command: RunCommandName) => commentedStart(configs[command] as ObjectField<unknown>);

test("what is printed to start from is a configuration, as it is and with everything taken in", () => {
  for (const command of commands) {
    loadConfig(command, write(start(command)));
    const everything = start(command)
      .split("\n")
      .map((line) => line.replace(/^(\s*)((?:\/\/ *)+)("|\})/, "$1$3"))
      .join("\n");
    const { config } = loadConfig(command, write(everything));
    const { fusion } = config.model as { fusion?: object };
    assert.ok(config.engine && (fusion ?? command === "detectEvaluate"), everything);
  }
});

test("finetuning starts from pretrained weights, or says itself what its model is", () => {
  const load = (model: object) => {
    const rest = { data: { train: { path: "train" } }, recipe: "finetuneToy", out: "out" };
    return () => loadConfig("finetune", write(JSON.stringify({ model, ...rest })));
  };
  load({ pretrained: "runs/pretrain" })();
  load({ pretrained: "runs/pretrain", classes: 3 })();
  load({ encoder: "toy", classes: 3 })();
  const needs = (what: string) => new RegExp(`model\\.${what}: .*, or \`pretrained\``);
  for (const [model, lacking] of [
    [{}, ["encoder", "classes"]],
    [{ encoder: "toy" }, ["classes"]],
    [{ classes: 3 }, ["encoder"]],
  ] as const) {
    assert.throws(load(model), (error: unknown) => {
      assert.ok(error instanceof LuvitError && error.code === "bad-argument", `${error}`);
      for (const one of ["encoder", "classes"] as const)
        assert.equal(
          needs(one).test(error.message),
          (lacking as readonly string[]).includes(one),
          error.message,
        );
      return true;
    });
  }
});

test("comments and commas before brackets are no part of JSON, what stands in texts is", () => {
  const text = '{ // one\n "a": "x // y /* z */, }", /* two\n lines */ "b": [1, 2, ], }';
  assert.deepEqual(parseJsonWithComments("f", text), { a: "x // y /* z */, }", b: [1, 2] });
  // Beside each other there may be as many as one likes.
  for (const one of ["{}", "[]", '{"a": {}}', '[{"a": []}]'])
    assert.equal((parseJsonWithComments("f", `[${Array(150).fill(one)}]`) as unknown[]).length, 150, one);
});

test("a mistake in the file is named with line and column", () => {
  assertThrows(
    () => parseJsonWithComments("f.json", '{\n  "a": 1,\n  "b": x\n}'),
    "bad-file",
    "line 3, column 8: invalid symbol",
  );
  assertThrows(
    () => parseJsonWithComments("f.json", '{\n  "a": [1,'),
    "bad-file",
    "f.json: not JSON",
    "line 2, column 11: close bracket expected",
  );
  for (const end of ["\n", "\r\n", "\r"])
    assertThrows(
      () =>
        parseJsonWithComments(
          "f.json",
          ["{ // of lines", '  "a": 1,', "", '  "b": x, "c": y', "}"].join(end),
        ),
      "bad-file",
      "f.json: not JSON\n  line 4, column 8: invalid symbol\n",
      "\n  line 4, column 16: invalid symbol",
    );
});

test("everything that is wrong is said at once, each with its place, what is expected and what came", () => {
  const file = write(`{
    "model": { "encoder": "base17", "decoder": { "dim": 1.5, "heads": 2, "mlpRatio": 4 }, "maskRato": 0.5 },
    "data": { "train": { "path": "", "take": 0 } },
    "recipe": "finetuneLuvit",
    "options": { "epochs": -1, "betas": [0.9], "lr": 0 },
    "engine": { "engine": "gpu" },
  }`);
  const lines = [
    'model.encoder: expected "tiny16", "small16", "base16", "large16", "huge14" or "toy", or an object, got \'base17\'',
    "model.decoder.dim: expected a whole number from 1 to 1,000,000, got 1.5",
    "model.decoder.depth: missing",
    "model.maskRato: unknown; did you mean maskRatio? there are encoder, decoder, fusion, seed, maskRatio, normPixLoss, weights",
    "data.train.path: expected a text, got ''",
    "data.train.take: expected a whole number from 1 to 1,000,000,000, got 0",
    'recipe: expected "pretrainMae", "pretrainMae1600" or "pretrainToy", got \'finetuneLuvit\'',
    "options.epochs: expected a whole number from 1 to 10,000,000, got -1",
    "options.betas: expected a list of two",
    "options.lr: expected a number above 0 and at most 1e+38, got 0",
    'engine.engine: expected "auto"',
    "out: missing, expected a text",
  ];
  assertThrows(() => loadConfig("pretrain", file), "bad-argument", ...lines, "luvit pretrain --print-config");
  assertThrows(() => loadConfig("pretrain", write("[1]")), "bad-argument", "expected an object, got [ 1 ]");
  assertThrows(() => loadConfig("pretrain", join(folder, "none.json")), "missing-file", "--print-config >");
});

test("paths begin at the place of the file", () => {
  const { path } = loadConfig("pretrain", write(start("pretrain")));
  assert.equal(path("runs/mine"), join(folder, "runs", "mine"));
  assert.equal(path("/data"), "/data");
});

test("averaged weights are asked of run folders only", async () => {
  const model = { encoder: "toy", classes: 2, weights: "finetuned.pth", averaged: true } as const;
  await assert.rejects(
    trainedFrom(
      model,
      (path) => path,
      () => {},
    ),
    /finetuned\.pth is no run's folder, which alone holds averaged weights/,
  );
});

test("the schema names every entry with its description", () => {
  const schema = jsonSchemaOf(configs.finetune) as {
    properties: Record<string, { description: string }>;
    required: string[];
  };
  assert.deepEqual(schema.required, ["model", "data", "recipe", "out"]);
  assert.ok(Object.values(schema.properties).every(({ description }) => description.length > 3));
});

/** What a command prints and its status, or what it says of wrong usage. */
async function run(name: string, ...args: string[]): Promise<[status: number | string, printed: string]> {
  const lines: string[] = [];
  const chosen = allCommands.find((one) => one.name === name)!;
  try {
    const call = readCall(chosen, args)!;
    return [await chosen.run({ ...call, print: (line) => void lines.push(line) }), lines.join("\n")];
  } catch (error) {
    assert.ok(error instanceof UsageError, String((error as Error).stack));
    return [error.message, lines.join("\n")];
  }
}

test("wrong usage is said in words, a printed configuration is all that is printed", async () => {
  const wrong: [words: string[], text: RegExp][] = [
    [["pretrain"], /^pretrain needs --config <file>/],
    [
      ["pretrain", "more", "--config", "f", "--seed", "x"],
      /takes no more; --seed takes a whole number .* "x"/,
    ],
    [["pretrain", "--config", "f", "--seed", "1e99"], /--seed takes a whole number/],
    [["pretrain", "--config", "f", "--sede", "1"], /pretrain has no option --sede. Did you mean --seed\?/],
    [["pretrain", "--config", "f", "--shard", "1/2"], /pretrain has no option --shard/],
    [["finetune", "--config", "f", "--merge"], /finetune has no option --merge/],
    [["pretrain", "--config"], /--config/],
    [["evaluate", "--merge"], /takes the folders/],
    [["evaluate", "--merge", "a", "--seed", "1"], /not --seed$/],
    [["evaluate", "--merge", "a", "--shard", "1/2"], /not --shard$/],
    [["evaluate", "--merge", "a", "--config", "f", "--shard", "1/2"], /not --config, --shard$/],
    ...["3/2", "0/2", "0/0", "1/0", "-1/2", "1.5/2", "1", "a/b", ""].map((shard): [string[], RegExp] => [
      ["evaluate", "--config", "f", `--shard=${shard}`],
      /^--shard takes 1\/n to n\/n, or auto, got /,
    ]),
  ];
  for (const [[name, ...args], text] of wrong) {
    const [result, printed] = await run(name, ...args);
    assert.match(String(result), text);
    assert.equal(printed, "");
  }
  assert.deepEqual(await run("entropy", "--print-config"), [0, start("entropy")]);
  const [status, schema] = await run("evaluate", "--print-schema");
  assert.deepEqual([status, JSON.parse(schema).additionalProperties], [0, false]);
});

test("wrong usage ends with 2 and a word on help, anything else that goes wrong with 1", async () => {
  const none = join(temporaryFolder(), "none.json");
  for (const [words, expected, text] of [
    [["nosuch"], 2, /nosuch/],
    [["pretrain"], 2, /pretrain needs --config/],
    [["evaluate", "--merge"], 2, /takes the folders/],
    [["pretrain", "--config", none], 1, /none\.json/],
    [["evaluate", "--merge", none], 1, /none\.json/],
    [["--help"], 0, /^$/],
  ] as const) {
    const complaints: string[] = [];
    const terminal = { print: () => {}, complain: (line: string) => void complaints.push(line) };
    assert.equal(await main([...words], terminal), expected, words.join(" "));
    const said = complaints.join("\n");
    assert.match(said, text);
    assert.equal(said.includes("luvit --help lists what there is."), expected === 2, said);
  }
});

test("models are described under the models' own limits, which are looked at before anything is read", () => {
  const encoder = { imageSize: 30, patchSize: 16, dim: 30, depth: 2, heads: 4, mlpRatio: 4 };
  const decoder = { dim: 64, depth: 1, heads: 5, mlpRatio: 4 };
  const lora = { rank: 0, rankStabilized: true, r: 4 };
  const fusion = { block: "llama", number: 10_001, after: -1, lora };
  const model = { encoder, decoder, fusion, maskRatio: 1, seed: 2 ** 53 };
  const data = { train: { path: "images" } };
  const wrong = { model, data, recipe: "pretrainToy", out: "runs/x" };
  assertThrows(
    () => loadConfig("pretrain", write(JSON.stringify(wrong))),
    "bad-argument",
    "model.encoder.imageSize: expected a multiple of patchSize (16), got 30",
    "model.encoder.dim: expected a multiple of heads (4), got 30",
    "model.decoder.dim: expected a multiple of heads (5), got 64",
    "model.fusion.number: expected a whole number from 1 to 10,000, got 10001",
    "model.fusion.after: expected a whole number from 0",
    "model.fusion.lora.rank: expected a whole number from 1",
    "model.fusion.lora.r: unknown",
    "model.maskRatio: expected a number from 0, less than 1, got 1",
    "model.seed: expected a whole number from 0",
  );
});
