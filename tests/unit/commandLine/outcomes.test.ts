import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, beforeEach, type TestContext, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { announce } from "../../../src/commandLine/trainCommand";
import { LuvitError } from "../../../src/core/errors";
import type { ImageDataset } from "../../../src/data";
import { tableOf } from "../../../src/io/tables";
import { classifier, mae } from "../../../src/models";
import type { Module } from "../../../src/nn";
import { repository } from "../io/support";
import { temporaryFolder, writeImages } from "../train/support";
import { encoder, quietStops, replaced, type StopSignal, stopBy } from "./support";

import configured = require("../../../src/commandLine/models");
import detecting = require("../../../src/train/detection/detect");
import distilling = require("../../../src/train/distill");
import finetuning = require("../../../src/train/finetune");
import lookingAtShares = require("../../../src/analysis/entropyShares");
import pretraining = require("../../../src/train/pretrain");
import segmenting = require("../../../src/train/segment");

/*
 * What a command says, writes and ends with, once the function that does its work has come back. That function is not run:
 * what it gives is made up here.
 */

const folder = temporaryFolder();
const here = (name: string) => join(folder, name);
const shapes = join(repository, "data", "shapes");
const root = join(shapes, "coco");
const decoder = { dim: 8, depth: 1, heads: 2, mlpRatio: 3 };
const engine = { engine: "eager", threads: 1 };
const masked = { images: join(shapes, "val"), masks: join(shapes, "segmentation", "validation") };

before(async () => {
  await writeImages(here("images"), 3);
  await mae.create({ encoder, decoder, seed: 3 }).save(here("mae"));
  await classifier.create({ encoder, classes: 2, seed: 4 }).save(here("tuned"));
});

beforeEach((t) => quietStops(t as TestContext));

async function luvit(words: readonly string[], config: object) {
  writeFileSync(here("run.json"), JSON.stringify({ engine, ...config }));
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main([...words, "--config", here("run.json")], { print: hear, complain: hear });
  return { status, said };
}

const goOn = (command: string) => `luvit ${command} --config ${here("run.json")}`;

test("a run that has ended says its notes, what of each set was unreadable, its steps and where it lies", async (t) => {
  const data = { train: { path: "images" }, validation: { path: "images" } };
  const config = { model: { encoder, classes: 2 }, data, recipe: "finetuneToy", out: "run" };
  for (const [stopped, signal, status] of [
    [false, undefined, 0],
    [true, undefined, 130],
    [true, "SIGINT", 130],
    [true, "SIGTERM", 143],
    [true, "SIGHUP", 129],
  ] as const) {
    const heard = signal ? process.listeners(signal) : [];
    let asked = 0;
    const history = [1, 2].map((step) => ({ step, epoch: 0, loss: 1, lr: 1, imagesPerSecond: 1 }));
    replaced(t, finetuning, "finetune", (_, images: ImageDataset, { validation, out }) => {
      images.report.add("green/0.png", "green/0.png: cut off");
      validation.report.add("red/1.png", "red/1.png: no image");
      const run = { name: "finetune", totalSteps: 3, history, out, state: "running", notes: ["a note"] };
      return Object.assign(run, {
        onRecord: () => () => {},
        stop: () => {
          asked++;
        },
        get done() {
          if (signal && asked === 0) setImmediate(() => stopBy(signal, heard));
          return new Promise((resolve) =>
            setImmediate(() => setImmediate(() => resolve({ history, stopped, seconds: 2 }))),
          );
        },
      });
    });
    t.mock.method(process.stdout, "write", () => true);
    const { status: ended, said } = await luvit(["finetune", "--seed", "4"], config);
    assert.deepEqual([ended, asked > 0], [status, signal !== undefined], String(signal));
    const text = said.slice(said.indexOf("a note")).join("\n");
    const place = relative(process.cwd(), here("run"));
    assert.match(text, /^a note\n[\s\S]*green\/0\.png[\s\S]*red\/1\.png[\s\S]*\n/);
    const word = stopped ? "stopped" : "done";
    const lines = [`${word}: 2 of 3 steps in 2.0 s · ${place}`];
    if (stopped) lines.push(`go on with: ${goOn("finetune")} --seed 4 --resume`);
    assert.deepEqual(said.slice(-lines.length), lines);
    t.mock.restoreAll();
    t.mock.method(process.stderr, "write", () => true);
  }
});

test("before it begins the model is said, the recipe with its source, cost and promise, and what departs from it", () => {
  const said = (departs?: string) => {
    const lines: string[] = [];
    const notes = { name: "mine", source: "a paper", expected: "80 %", cost: "a day", departs };
    const model = { toString: () => "a model" } as Module;
    announce({ print: (line: string) => void lines.push(line) } as never, model, notes as never);
    return lines;
  };
  const lines = ["a model", "recipe mine (a paper): a day; expected: 80 %"];
  assert.deepEqual(said(), lines);
  assert.deepEqual(said("no warm-up"), [...lines, "  done otherwise here: no warm-up"]);
});

test("a folder that holds something is refused by the first of several workers too, and is no matter to the others", async (t) => {
  const [rank, size] = ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"];
  t.after(() => {
    delete process.env[rank];
    delete process.env[size];
  });
  mkdirSync(here("full/inner"), { recursive: true });
  let begun = 0;
  replaced(t, pretraining, "pretrain", () => {
    begun++;
    throw new LuvitError("interrupted", "noted");
  });
  const config = { model: { encoder, decoder }, data: { train: { path: "images" } }, recipe: "pretrainToy" };
  for (const [own, all, expected] of [
    ["0", "1", 0],
    ["0", "2", 0],
    ["1", "2", 1],
  ] as const) {
    Object.assign(process.env, { [rank]: own, [size]: all });
    begun = 0;
    const { status, said } = await luvit(["pretrain"], { ...config, out: "full" });
    assert.deepEqual([status, begun], [1, expected], `${own} of ${all}`);
    if (expected === 0) assert.match(said.at(-1)!, /full holds something already: --resume goes on with it/);
  }
});

test("the seed of the words comes before the file's, for the model too", async (t) => {
  const plain = { encoder, classes: 2 };
  const data = { train: { path: "images" } };
  const commands: [string, object, string, object][] = [
    ["pretrain", pretraining, "pretrain", { model: { encoder, decoder }, data, recipe: "pretrainToy" }],
    ["finetune", finetuning, "finetune", { model: plain, data, recipe: "finetuneToy" }],
    [
      "distill",
      distilling,
      "distill",
      { model: plain, teacher: { weights: "tuned" }, data, recipe: "distillToy" },
    ],
    [
      "segment",
      segmenting,
      "segment",
      { model: { encoder: { ...encoder, imageSize: 32 } }, data: { train: masked }, recipe: "segmentToy" },
    ],
    [
      "detect",
      detecting,
      "detect",
      { model: { preset: "toy" }, data: { train: { root, part: "train" } }, recipe: "detectToy" },
    ],
  ];
  for (const [command, module, name, config] of commands) {
    let made: Module | undefined;
    replaced(t, module, name, (model: Module) => {
      made = model;
      throw new LuvitError("interrupted", "noted");
    });
    const numbers = async (seed: number | undefined, ...words: string[]) => {
      const { model, ...rest } = config as { model: object };
      await luvit([command, ...words], { ...rest, model: { ...model, seed }, out: "none" });
      const all: number[] = [];
      for (const [, parameter] of made!.namedParameters()) all.push((await parameter.peek()).at(-1)!);
      made!.dispose();
      return all;
    };
    const twelve = await numbers(12);
    assert.deepEqual(await numbers(5, "--seed", "12"), twelve, command);
    assert.deepEqual(await numbers(undefined, "--seed", "12"), twelve, command);
    assert.notDeepEqual(await numbers(5), twelve, command);
  }
});

test("what is known of a teacher's run is said before the student is made", async (t) => {
  const teacher = classifier.create({ encoder, classes: 2, seed: 4 });
  const run = { recipe: "finetuneLuvit", seed: 3, notes: ["one note", "another"] };
  replaced(t, configured, "trainedFrom", async () => ({ model: teacher, run }));
  replaced(t, distilling, "distill", () => {
    throw new LuvitError("interrupted", "noted");
  });
  const { said } = await luvit(["distill"], {
    ...{ model: { encoder, classes: 2 }, teacher: { weights: "tuned" }, data: { train: { path: "images" } } },
    ...{ recipe: "distillToy", out: "none" },
  });
  const at = said.findIndex((line) => line.startsWith("teacher: "));
  assert.equal(said[at], `teacher: ${teacher}, recipe finetuneLuvit`);
  assert.deepEqual(said.slice(at + 1, at + 3), ["one note", "another"]);
});

test("entropy that is stopped begins no other set and ends with the signal's status; what was unreadable is said", async (t) => {
  const config = {
    ...{ model: { weights: "tuned" }, data: { one: masked, two: masked }, out: "shares", pseudoMasks: false },
  };
  const looked: string[] = [];
  const run = async (signal: StopSignal | undefined, complete: boolean) => {
    looked.length = 0;
    const heard = signal ? process.listeners(signal) : [];
    replaced(t, lookingAtShares, "entropyShares", async (_, sets: Record<string, ImageDataset>) => {
      const [[name, set]] = Object.entries(sets);
      looked.push(name);
      if (signal) stopBy(signal, heard);
      if (name === "one") set.report.add("green/0.png", "green/0.png: cut off");
      return { complete, table: tableOf({ a: [1] }), toString: () => `shares of ${name}` };
    });
    const { status, said } = await luvit(["entropy"], config);
    return { status, looked: looked.slice(), said: said.slice(said.indexOf("shares of one")) };
  };
  const whole = await run(undefined, true);
  assert.deepEqual([whole.status, whole.looked], [0, ["one", "two"]]);
  assert.match(whole.said.join("\n"), /^shares of one\n[\s\S]*green\/0\.png[\s\S]*shares of two\ndone · /);
  const left = `stopped; what was computed is kept. Go on with: ${goOn("entropy")}`;
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const stopped = await run(signal, signal !== "SIGTERM");
    assert.deepEqual([stopped.status, stopped.looked, stopped.said.at(-1)], [status, ["one"], left]);
  }
});
