import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { readMaeCheckpoint } from "../../../src/io/checkpoint/maeCheckpoint";
import { writeSafetensors } from "../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../src/io/torch/torchWriter";
import * as classifier from "../../../src/models/classifier";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { openClassifier } from "../../../src/models/openClassifier";
import { loadClassifier, loadMae } from "../../../src/models/pretrained";
import { saveCheckpoint } from "../../../src/models/saveCheckpoint";
import { resizePositionTable } from "../../../src/nn/positionEmbedding";
import { assertClose, assertSameState, isLuvitError, valuesOf } from "../nn/support";
import { perturb, tinyBlock, tinyDecoder, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const folder = mkdtempSync(join(tmpdir(), "luvit-save-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const logitsOf = (model: classifier.Classifier) => valuesOf(() => model.forward(tinyImages()));
const trained = (options: Partial<classifier.ClassifierOptions> = {}) => {
  const model = classifier.create({ encoder: tinyViT, classes: 3, ...options });
  perturb(model);
  return model;
};

for (const ending of [".pth", ".pt", ".bin", ".safetensors"]) {
  test(`a ViT saved as ${ending} comes back, key for key`, async () => {
    const model = trained({ pooling: "cls" });
    const path = join(folder, `vit${ending}`);
    await saveCheckpoint(model, path);
    assertSameState((await readMaeCheckpoint(path)).tensors, await model.stateDict());
    const other = await openClassifier(path, { heads: 2 });
    assert.deepEqual(other.encoder.config, tinyViT);
    assert.deepEqual([other.pooling, other.classes], ["cls", 3]);
    assert.deepEqual(logitsOf(other), logitsOf(model));
  });
}

test("a LUViT's checkpoint has LoRA merged into its block, and the model keeps it apart", async () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2, alpha: 6, targets: ["q_proj", "down_proj"] });
  const model = trained({ fusion: block });
  const state = await model.stateDict();
  const path = join(folder, "luvit.pth");
  const keys = await saveCheckpoint(model, path, { extras: { epoch: 3 } });
  assertSameState(await model.stateDict(), state);
  assert.ok(keys.length > 0 && keys.every((key) => !key.includes("lora_")));
  assert.equal((await readMaeCheckpoint(path)).epoch, 3);

  const plain = classifier.create({ encoder: tinyViT, classes: 3, fusion: tinyBlock() });
  const report = await loadClassifier(plain, path);
  assert.deepEqual([report.missing, report.unexpected], [[], []]);
  assertClose(logitsOf(plain), logitsOf(model), 1e-5);

  lora.merge(model);
  await saveCheckpoint(model, path);
  await loadClassifier(plain, path);
  assertClose(logitsOf(plain), logitsOf(model), 1e-6, "merged before it was saved");
});

test("a pretrained model without its decoder is a file like MAE's released ones", async () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  perturb(model);
  const path = join(folder, "encoder.pth");
  const keys = await saveCheckpoint(model, path, { leaveOut: ["decoder_", "mask_token"] });
  assert.ok(keys.includes("norm.weight") && !keys.some((key) => /^(decoder_|mask_token)/.test(key)));
  const other = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const report = await loadMae(other, path);
  assert.deepEqual([...report.loaded].sort(), [...keys].sort());
});

test("other endings are refused", async () => {
  await assert.rejects(
    saveCheckpoint(trained(), join(folder, "model.h5")),
    isLuvitError("bad-argument", ".pth, .pt, .bin or .safetensors"),
  );
});

async function written(name: string, change: (state: StateDict) => void): Promise<string> {
  const state = await trained().stateDict();
  change(state);
  const path = join(folder, name);
  await writeTorchCheckpoint(path, state);
  return path;
}

test("a head for other classes is left in the file, as MAE does when it finetunes", async () => {
  const model = classifier.create({ encoder: tinyViT, classes: 5 });
  const report = await loadClassifier(model, await written("head.pth", () => {}));
  assert.deepEqual([...report.missing].sort(), ["head.bias", "head.weight"]);
});

test("a ViT of timm without qkv biases or without a class token's position gets zeros there", async () => {
  const bare = await written("bare.pth", (state) => {
    for (const key of [...state.keys()]) if (key.endsWith("qkv.bias")) state.delete(key);
    const table = state.get("pos_embed")!;
    const [, tokens, dim] = table.shape;
    state.set("pos_embed", { shape: [1, tokens - 1, dim], data: table.data.slice(dim) });
  });
  const model = await openClassifier(bare, { heads: 2 });
  const own = await model.stateDict();
  assert.ok(own.get("blocks.1.attn.qkv.bias")!.data.every((value) => value === 0));
  const table = own.get("pos_embed")!;
  assert.ok(table.data.subarray(0, tinyViT.dim).every((value) => value === 0));
  assert.deepEqual(
    table.data.slice(tinyViT.dim),
    (await readMaeCheckpoint(bare)).tensors.get("pos_embed")!.data,
  );
});

test("what this ViT does not have is named: registers, layer scales, distillation", async () => {
  const path = await written("more.pth", (state) => {
    for (const key of ["reg_token", "blocks.0.ls1.gamma", "dist_token"]) {
      state.set(key, { shape: [1], data: new Float32Array(1) });
    }
  });
  await assert.rejects(
    loadClassifier(trained(), path),
    isLuvitError("key-mismatch", "register_tokens", "blocks.0.ls1.gamma", "dist_token"),
  );
});

test("heads are those that are given, though published ViTs of that width have others", async () => {
  const encoder = { ...tinyViT, dim: 192, heads: 6 };
  const path = join(folder, "wide.pth");
  await writeTorchCheckpoint(path, await classifier.create({ encoder, classes: 3 }).stateDict());
  assert.equal((await openClassifier(path, { heads: 6 })).encoder.config.heads, 6);
  assert.equal((await openClassifier(path)).encoder.config.heads, 3);
});

test("a folder as timm's are on the hub is opened; what is no finetuned ViT is refused", async () => {
  const model = trained();
  const place = join(folder, "timm");
  mkdirSync(place);
  await writeSafetensors(join(place, "model.safetensors"), await model.stateDict());
  assert.deepEqual(logitsOf(await openClassifier(place, { heads: 2 })), logitsOf(model));
  await assert.rejects(openClassifier(place), isLuvitError("bad-argument", "16 wide, pass { heads }"));
  const headless = await written("headless.pth", (state) => state.delete("head.weight"));
  await assert.rejects(openClassifier(headless), isLuvitError("key-mismatch", "head.weight"));
});

test("timm's resize of positions keeps constants and, where the grid stays, every number", () => {
  const table = (value: (i: number) => number) => ({
    shape: [1, 10, 1],
    data: Float32Array.from({ length: 10 }, (_, i) => value(i)),
  });
  for (const side of [2, 5, 8]) {
    const size = { rows: side, columns: side };
    const { data } = resizePositionTable(
      table(() => 3),
      size,
      1,
      "timm",
    );
    assertClose(data, new Float32Array(1 + side * side).fill(3), 1e-6);
  }
  const grid = table((i) => i);
  assert.deepEqual(resizePositionTable(grid, { rows: 3, columns: 3 }, 1, "timm").data, grid.data);
});
