import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type StateDict, streamOf, type TensorStream } from "../../../../src/core/hostTensor";
import { Rng } from "../../../../src/core/rng";
import { keepCheckpoint } from "../../../../src/io/checkpoint";
import { keepWeights, readConfig, writeSavedModel } from "../../../../src/io/checkpoint/savedModel";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { assertRejects, randomTensor, temporaryFolder } from "../support";

const rng = new Rng(4);
const [first, second] = ["first", "second"].map(
  (name): StateDict => new Map([[`${name}.weight`, randomTensor(rng, [2, 3])]]),
);

/** A checkpoint in two files with an index that names these tensors. */
async function sharded(weight_map: Record<string, string>): Promise<string> {
  const folder = temporaryFolder();
  await writeSafetensors(join(folder, "model-00001-of-00002.safetensors"), first);
  await writeSafetensors(join(folder, "model-00002-of-00002.safetensors"), second);
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }));
  return folder;
}

const both = {
  "first.weight": "model-00001-of-00002.safetensors",
  "second.weight": "model-00002-of-00002.safetensors",
};

test("tensors of one file and of several with an index stay there and are read when they are asked for", async () => {
  const folder = await sharded(both);
  for (const path of [folder, join(folder, "model.safetensors.index.json")]) {
    const { tensors, source, folder: found } = await keepCheckpoint(path);
    assert.deepEqual([...tensors.keys()].sort(), ["first.weight", "second.weight"]);
    assert.deepEqual([source, found], [join(folder, "model.safetensors.index.json"), folder]);
    const { shape } = tensors.get("second.weight")!;
    assert.deepEqual(shape, [2, 3]);
  }
  const one = await keepCheckpoint(join(folder, both["first.weight"]));
  assert.deepEqual([...one.tensors.keys()], ["first.weight"]);
  assert.equal(one.folder, folder);
});

test("tensors that the index has and its files have not are all named, with the file", async () => {
  const folder = await sharded({
    ...both,
    "third.weight": both["second.weight"],
    "fourth.bias": both["first.weight"],
  });
  const words = ["third.weight: not in", "00002-of-00002.safetensors", "fourth.bias: not in"];
  await assertRejects(() => keepCheckpoint(folder), "key-mismatch", ...words);
});

test("formats that must be read whole are refused with what to do", async () => {
  const path = join(temporaryFolder(), "weights.gguf");
  writeFileSync(path, Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(60)]));
  await assertRejects(
    () => keepCheckpoint(path),
    "bad-argument",
    "GGUF cannot stay in its file: only safetensors and torch's files can be",
  );
});

test("a model that cannot be written whole leaves the one before, config and weights, or nothing", async () => {
  const broken: TensorStream = {
    shapes: new Map([["first.weight", [2, 3]]]),
    read: async () => {
      throw new RangeError("no numbers");
    },
  };
  const folder = temporaryFolder();
  await assert.rejects(writeSavedModel(folder, { config: { depth: 1 }, tensors: broken }));
  assert.deepEqual(readdirSync(folder), []);
  await writeSavedModel(folder, { config: { depth: 1 }, tensors: streamOf(first) });
  const [config, weights] = ["config.json", "model.safetensors"].map((name) => join(folder, name));
  const before = [config, weights].map((path) => readFileSync(path));
  await assert.rejects(writeSavedModel(folder, { config: { depth: 2 }, tensors: broken }));
  assert.deepEqual(
    [config, weights].map((path) => readFileSync(path)),
    before,
  );
  assert.deepEqual(readdirSync(folder).sort(), ["config.json", "model.safetensors"]);
  const kept = await keepWeights(weights, await readConfig(folder));
  assert.deepEqual([...kept.tensors.get("first.weight")!.data], [...first.get("first.weight")!.data]);
  await kept.close();
});

test("weights whose config cannot be written are there without it, and are not taken for another model's", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "config.json"));
  await assert.rejects(writeSavedModel(folder, { config: { depth: 3 }, tensors: streamOf(first) }));
  const weights = join(folder, "model.safetensors");
  assert.ok(existsSync(weights), "they come first");
  await assertRejects(() => keepWeights(weights, { depth: 2 }), "key-mismatch", "depth: was 3, now 2");
  await assertRejects(() => keepWeights(weights, {}), "key-mismatch", "depth: was 3, now not given");
});
