import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { LuvitError } from "../../../src/core/errors";
import { startBackend } from "../../../src/core/tf";
import { tableOf } from "../../../src/io/tables";
import { detector } from "../../../src/models";
import { repository } from "../io/support";
import { temporaryFolder } from "../train/support";
import { quietStops, replaced, type StopSignal, stopBy } from "./support";

import detecting = require("../../../src/train/detection/detect");
import evaluatingDetectors = require("../../../src/analysis/detection/evaluateDetector");
import opening = require("../../../src/data/coco/open");
import runFolders = require("../../../src/io/runs/isRunFolder");
import runs = require("../../../src/train/openRun");
import weightsOf = require("../../../src/models/detector/checkpoints");

const folder = temporaryFolder();
const here = (name: string) => join(folder, name);
before(() => startBackend({ backend: "wasm" }));

async function luvit(...words: string[]) {
  const lines: string[] = [];
  const status = await main(words, {
    print: (line) => void lines.push(line),
    complain: (line) => void lines.push(line),
  });
  return { status, text: lines.join("\n") };
}

function config(name: string, value: object): string {
  writeFileSync(join(folder, name), JSON.stringify(value));
  return join(folder, name);
}

const root = join(repository, "data/shapes/coco");
const engine = { engine: "onnxruntime", threads: 1 };

test("a detector is trained, gone on with, and evaluated in shards by the command line", async () => {
  const file = config("detect.json", {
    model: { preset: "toy" },
    data: {
      train: { root, part: "train", take: 4 },
      validation: { root, part: "val", take: 2 },
      scale: [0.8, 1.2],
    },
    recipe: "detectToy",
    out: "run",
    options: { epochs: 1, batchSize: 2 },
    engine,
  });
  const trained = await luvit("detect", "--config", file);
  assert.equal(trained.status, 0, trained.text);
  assert.match(trained.text, /recipe detectToy/);
  assert.match(trained.text, /done: 2 of 2 steps/);
  const steps = readFileSync(join(folder, "run", "metrics.jsonl"), "utf8")
    .trim()
    .split("\n");
  assert.deepEqual(
    steps.map((line) => typeof JSON.parse(line).boxAP),
    ["undefined", "number"],
  );
  const again = await luvit("detect", "--config", file);
  assert.equal(again.status, 1);
  assert.match(again.text, /--resume/);
  assert.equal((await luvit("detect", "--config", file, "--resume")).status, 0);

  const evaluation = config("found.json", {
    model: { weights: "run", name: "toy" },
    data: { root, part: "val", take: 2 },
    out: "found",
    engine,
  });
  const half = await luvit("detect", "evaluate", "--config", evaluation, "--shard", "1/2");
  assert.equal(half.status, 0, half.text);
  assert.match(half.text, /missing: images 1 to 1/);
  const whole = await luvit("detect", "evaluate", "--config", evaluation, "--shard", "2/2");
  assert.match(whole.text, /COCO's scores of boxes/);
  assert.ok(existsSync(join(folder, "found", "results.segm.json")));
  const [row] = readFileSync(join(folder, "found", "results.jsonl"), "utf8").split("\n");
  assert.equal(JSON.parse(row).metric, "AP");
});

test("both configurations are printed to start from, and wrong ones are refused with all that is wrong", async () => {
  assert.match((await luvit("detect", "--print-config")).text, /large-scale jitter/);
  assert.match((await luvit("detect", "evaluate", "--print-config")).text, /a run folder of luvit detect/);
  const file = config("wrong.json", { model: {}, data: {}, recipe: "coca", out: "x" });
  const { status, text } = await luvit("detect", "--config", file);
  assert.equal(status, 1);
  for (const part of ["encoder", "data.train", "recipe"]) assert.ok(text.includes(part), text);
  assert.equal((await luvit("detect", "--config", file, "--shard", "1/2")).status, 2);
});

test("COCO's scores are written where the evaluation is whole; what is left to do is named, and a shard is no failure", async (t) => {
  const table = tableOf({ a: [1] });
  const evaluation = {
    model: { weights: "detector" },
    data: { root, part: "val", take: 2 },
    out: "scores",
    engine,
  };
  quietStops(t);
  await detector.create({ ...detector.toy, classes: 6 }).save(here("detector"));
  const file = config("scored.json", evaluation);
  const run = async (result: object, signal: StopSignal | undefined, ...words: string[]) => {
    const heard = signal ? process.listeners(signal) : [];
    replaced(t, evaluatingDetectors, "evaluateDetector", async (_, __, options) => {
      if (signal) stopBy(signal, heard);
      assert.equal(options.signal.aborted, signal !== undefined);
      return { toString: () => "scores", ...result };
    });
    const { status, text } = await luvit("detect", "evaluate", ...words, "--config", file);
    return [status, ...text.split("\n").slice(text.split("\n").indexOf("scores"))];
  };
  const incomplete = { complete: false };
  const left = `what was found is kept. Go on with: luvit detect evaluate --config ${file}`;
  assert.deepEqual(await run(incomplete, undefined), [130, "scores", left]);
  assert.deepEqual(await run(incomplete, undefined, "--shard", "1/2"), [0, "scores", `${left} --shard 1/2`]);
  assert.deepEqual(await run(incomplete, "SIGTERM"), [143, "scores", left]);
  assert.deepEqual(await run(incomplete, "SIGHUP", "--shard", "1/2"), [129, "scores", `${left} --shard 1/2`]);
  assert.ok(!existsSync(here("scores")));
  mkdirSync(here("scores"));
  const done = `done · ${relative(process.cwd(), here("scores"))}`;
  assert.deepEqual(await run({ complete: true, boxes: { table } }, undefined), [0, "scores", done]);
  const lines = (name: string) => readFileSync(join(here("scores"), name), "utf8");
  assert.equal(lines("results.jsonl"), '{"a":1}\n');
  assert.ok(!existsSync(join(here("scores"), "masks.jsonl")));
  const both = { complete: true, boxes: { table }, masks: { table: tableOf({ b: [2] }) } };
  assert.deepEqual(await run(both, undefined, "--shard", "2/2"), [0, "scores", done]);
  assert.deepEqual([lines("results.jsonl"), lines("masks.jsonl")], ['{"a":1}\n', '{"b":2}\n']);
});

test("images and annotations are looked for in the set's folder, unless the file says where each lies", async (t) => {
  const asked: unknown[] = [];
  replaced(t, opening, "openCoco", async ({ transform: _, ...options }) => {
    asked.push(options);
    throw new LuvitError("interrupted", "noted");
  });
  const place = { root: "set", part: "mine" };
  for (const own of [
    {},
    { images: "pictures" },
    { annotations: "a.json" },
    { images: "pictures", annotations: "a.json", partial: true },
  ]) {
    const scenes = { model: { preset: "toy" }, data: { train: { ...place, ...own } }, recipe: "detectToy" };
    await luvit("detect", "--config", config("places.json", { ...scenes, out: "none", engine }));
  }
  const usual = { root: here("set"), part: "mine", partial: undefined };
  assert.deepEqual(asked, [
    usual,
    { ...usual, images: here("pictures") },
    { ...usual, annotations: here("a.json") },
    { images: here("pictures"), annotations: here("a.json"), partial: true },
  ]);
});

test("what is to be known of either set, and what of a checkpoint was taken, is said before training", async (t) => {
  replaced(t, opening, "openCoco", async ({ part }) => ({
    ...{ root: `set of ${part}`, classes: ["a", "b"] },
    truth: { notes: () => [`${part} lacks one`, `${part} has another`] },
  }));
  replaced(t, detecting, "detect", () => {
    throw new LuvitError("interrupted", "noted");
  });
  const checkpoints: string[] = [];
  replaced(t, weightsOf, "loadDetectorCheckpoint", async (model, place) => {
    checkpoints.push(`${place}, ${model.classNames}`);
    return "took 3 of 4";
  });
  const run = async (model: object, data: object) => {
    const asked = { model, data: { train: { root, part: "train" }, ...data }, recipe: "detectToy", engine };
    return (await luvit("detect", "--config", config("said.json", { ...asked, out: "none" }))).text;
  };
  const notes = (part: string) => `set of ${part}: ${part} lacks one\nset of ${part}: ${part} has another\n`;
  const both = await run({ preset: "toy" }, { validation: { root, part: "val" } });
  assert.ok(both.endsWith(`${notes("train")}${notes("val")}luvit: noted`), both);
  const alone = await run({ preset: "toy", pretrained: "mae.pth" }, {});
  assert.ok(alone.endsWith(`${notes("train")}luvit: noted`), alone);
  assert.match(alone, /^took 3 of 4$/m);
  assert.deepEqual(checkpoints, [`${here("mae.pth")}, a,b`]);
});

test("scores say the recipe and seed of the words, else of the file, else of the run", async (t) => {
  replaced(t, runFolders, "isRunFolder", () => true);
  replaced(t, runs, "openRun", async () => ({ recipe: "of the run", seed: 7 }));
  replaced(t, weightsOf, "openDetector", () => detector.create({ ...detector.toy, classes: 6 }));
  const said: unknown[] = [];
  replaced(t, evaluatingDetectors, "evaluateDetector", async (_, __, { recipe, seed }) => {
    said.push([recipe, seed]);
    throw new LuvitError("interrupted", "noted");
  });
  const evaluation = {
    model: { weights: "of a run" },
    data: { root, part: "val", take: 2 },
    out: "none",
    engine,
  };
  for (const [file, ...words] of [[{}], [{ seed: 0, recipe: "mine" }], [{ seed: 5 }, "--seed", "0"]] as const)
    await luvit("detect", "evaluate", ...words, "--config", config("seeds.json", { ...evaluation, ...file }));
  assert.deepEqual(said, [
    ["of the run", 7],
    ["mine", 0],
    ["of the run", 0],
  ]);
});
