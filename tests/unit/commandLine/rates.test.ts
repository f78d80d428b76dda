import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { readLines, temporaryFolder, writeImages } from "../train/support";

const folder = temporaryFolder();
const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };

/** Runs a command with these options of a recipe. */
async function run(command: "pretrain" | "finetune", recipe: string, options: object) {
  const out = join(folder, `${recipe}-${Object.keys(options).join("-")}`);
  const model = command === "pretrain" ? { encoder, decoder } : { encoder, classes: 2 };
  const file = join(folder, "run.json");
  const data = { train: { path: "images" } };
  const all = { epochs: 1, batchSize: 4, accumulate: 1, warmupEpochs: 0, ...options };
  writeFileSync(
    file,
    JSON.stringify({ model, data, recipe, options: all, engine: { engine: "eager" }, out }),
  );
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main([command, "--config", file], { print: hear, complain: hear });
  return { status, out, said: said.join("\n") };
}

/** The rate of a run's first step under these options, without warm-up its peak. */
async function peak(...asked: Parameters<typeof run>): Promise<number> {
  const { status, out, said } = await run(...asked);
  assert.equal(status, 0, said);
  return readLines(out)[0].lr;
}

test("a file's lr or baseLr takes the place of the recipe's, however that is written", async () => {
  await writeImages(join(folder, "images"));
  const scaled = (base: number) => (base * 4) / 256;
  assert.equal(await peak("pretrain", "pretrainToy", {}), 3e-3);
  assert.equal(await peak("pretrain", "pretrainToy", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("pretrain", "pretrainToy", { lr: 0.002 }), 0.002);
  assert.equal(await peak("pretrain", "pretrainMae", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("pretrain", "pretrainMae", { lr: 0.002 }), 0.002);
  assert.equal(await peak("finetune", "finetuneToy", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("finetune", "finetuneLuvit", { lr: 0.002 }), 0.002);
});

test("a file that gives both is told to choose", async () => {
  const { status, said } = await run("pretrain", "pretrainMae", { lr: 0.002, baseLr: 0.001 });
  assert.notEqual(status, 0);
  assert.match(said, /baseLr: expected nothing, because lr is 0\.002/);
});
