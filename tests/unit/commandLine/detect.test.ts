import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { startBackend } from "../../../src/core/tf";
import { repository } from "../io/support";
import { temporaryFolder } from "../train/support";

const folder = temporaryFolder();
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
