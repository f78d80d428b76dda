import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { readMaeCheckpoint } from "../../../src/io/checkpoint/maeCheckpoint";
import { writeSafetensors } from "../../../src/io/safetensors";
import { mlpL } from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import { loadBlock } from "../../../src/models/llama";
import * as mae from "../../../src/models/mae";
import { loadClassifier, loadMae } from "../../../src/models/pretrained";
import type { ViTConfig } from "../../../src/models/vit";
import { resizePositionTable } from "../../../src/nn/positionEmbedding";
import { assertSameState, isLuvitError, repository, valuesOf } from "../nn/support";
import { tinyBlock, tinyImages, tinyLlama } from "./support";

before(() => startBackend());

const folder = mkdtempSync(join(tmpdir(), "luvit-checkpoints-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const golden = join(repository, "tests", "golden", "cases", "checkpoints");
const wholeFile = join(golden, "mae", "checkpoint-7.pth");
const encoderFile = join(golden, "mae", "mae_pretrain_encoder_only.pth");

/** The shape of the golden files. */
const encoder: ViTConfig = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const isDecoder = (key: string) => key.startsWith("decoder_") || key === "mask_token";

test("an official training checkpoint fills the whole model, key for key", async () => {
  const model = mae.create({ encoder, decoder });
  const report = await loadMae(model, wholeFile);
  assert.deepEqual([report.missing, report.unexpected], [[], []]);
  assert.doesNotMatch(String(report), /fresh/);
  assert.ok(!model.decoderIsFresh);
  const { tensors } = await readMaeCheckpoint(wholeFile);
  assertSameState(await model.stateDict(), tensors);
  assert.equal(model.encoder.cls_token!.source, wholeFile);
});

test("a released file fills the encoder and leaves the decoder as it was", async () => {
  const model = mae.create({ encoder, decoder, seed: 4 });
  const fresh = await model.stateDict();
  const report = await loadMae(model, encoderFile);
  assert.ok(report.missing.length > 0 && report.missing.every(isDecoder));
  assert.match(String(report), /the file holds no decoder: this one is fresh/);
  assert.ok(model.decoderIsFresh);
  const { tensors } = await readMaeCheckpoint(encoderFile);
  for (const [key, { data }] of await model.stateDict()) {
    assert.deepEqual(data, (isDecoder(key) ? fresh : tensors).get(key)!.data, key);
  }
});

test("a fusion path, which MAE does not have, keeps its fresh weights", async () => {
  for (const fusion of [tinyBlock(), mlpL(encoder, tinyLlama, { activation: "gelu-norm" })]) {
    const model = mae.create({ encoder, decoder, fusion });
    const { missing } = await loadMae(model, wholeFile);
    assert.ok(
      missing.length > 0 && missing.every((key) => key.startsWith("llama") || key.startsWith("mlp_norm.")),
    );
  }
});

test("a classifier takes the encoder and leaves decoder and final norm in the file", async () => {
  for (const [file, pooling] of [
    [wholeFile, "mean"],
    [encoderFile, "mean"],
    [wholeFile, "cls"],
  ] as const) {
    const model = classifier.create({ encoder, classes: 3, pooling });
    const report = await loadClassifier(model, file);
    const unused = (key: string) => isDecoder(key) || (pooling === "mean" && key.startsWith("norm."));
    assert.ok(report.unexpected.every(unused), `${report.unexpected}`);
    assert.deepEqual([...report.missing].sort(), [
      ...(pooling === "mean" ? ["fc_norm.bias", "fc_norm.weight"] : []),
      "head.bias",
      "head.weight",
    ]);
    const { tensors } = await readMaeCheckpoint(file);
    const own = (await model.stateDict()).get("blocks.1.mlp.fc2.weight")!;
    assert.deepEqual(own.data, tensors.get("blocks.1.mlp.fc2.weight")!.data);
  }
});

test("a finetuned classifier's file comes back whole", async () => {
  const path = join(folder, "finetuned.safetensors");
  const model = classifier.create({ encoder, classes: 3, seed: 5 });
  await writeSafetensors(path, await model.stateDict());
  const other = classifier.create({ encoder, classes: 3 });
  const report = await loadClassifier(other, path);
  assert.deepEqual([report.missing, report.unexpected], [[], []]);
  assertSameState(await other.stateDict(), await model.stateDict());
  const images = tinyImages();
  assert.throws(
    () => valuesOf(() => other.forward(images)),
    isLuvitError("shape-mismatch", "imageSize is 16"),
  );
});

test("positions of another image size are resized as MAE does, the class token's row kept", async () => {
  const large = { ...encoder, imageSize: 24 };
  const { tensors } = await readMaeCheckpoint(wholeFile);
  const model = mae.create({ encoder: large, decoder });
  const tuned = classifier.create({ encoder: large, classes: 3 });
  await loadMae(model, wholeFile);
  await loadClassifier(tuned, wholeFile);
  for (const key of ["pos_embed", "decoder_pos_embed"]) {
    const expected = resizePositionTable(tensors.get(key)!, { rows: 3, columns: 3 });
    const table = (await model.stateDict()).get(key)!;
    assert.deepEqual([...table.shape], [1, 10, 16]);
    assert.deepEqual(table.data, expected.data);
    assert.deepEqual(table.data.subarray(0, 16), tensors.get(key)!.data.subarray(0, 16));
    if (key === "pos_embed") assert.deepEqual((await tuned.stateDict()).get(key)!.data, expected.data);
  }
});

test("a file of another model is one error with every key, and the model is unchanged", async () => {
  const model = mae.create({ encoder: { ...encoder, dim: 32, depth: 3 }, decoder });
  const before = await model.stateDict();
  const texts = [
    wholeFile,
    "cls_token",
    "[1, 1, 16]",
    "[1, 1, 32]",
    "missing: blocks.2.norm1.weight",
    "blocks.0.attn.qkv.weight",
  ];
  await assert.rejects(loadMae(model, wholeFile), isLuvitError("key-mismatch", ...texts));
  assertSameState(await model.stateDict(), before);
  const wide = mae.create({ encoder: { ...encoder, dim: 32 }, decoder: { ...decoder, dim: 32 } });
  await assert.rejects(loadMae(wide, wholeFile), isLuvitError("shape-mismatch", "cls_token"));
});

test("a LLaMA block is the same from Hugging Face's and from Meta's files, up to the order of q and k rows", async () => {
  const options = { block: 4, heads: 4 };
  const hf = await loadBlock(join(golden, "hf_f16"), options);
  const meta = await loadBlock(join(golden, "meta"), options);
  assert.deepEqual([hf.config.rowOrder, meta.config.rowOrder], ["hf", "meta"]);
  assert.deepEqual([hf.layerIndices, hf.counts().trainable], [[3], 0]);
  for (const { causal, rope } of [hf.config, meta.config]) assert.deepEqual([causal, rope], [false, false]);
  assert.deepEqual(
    [...hf.namedParameters()].map(([path]) => path),
    [...meta.namedParameters()].map(([path]) => path),
  );
  assert.match(
    `${hf}`,
    /^LlamaBlocks\(.+, 0 trainable, dim 32, 4 heads, from .+, block 4 of 4, .+ MB read\)$/,
  );
});
