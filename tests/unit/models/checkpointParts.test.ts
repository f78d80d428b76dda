import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { writeSafetensors } from "../../../src/io/safetensors";
import { classifier, mae, segmenter } from "../../../src/models";
import { placeKind } from "../../../src/models/places";
import { resizePositionTable } from "../../../src/nn";
import { temporaryFolder } from "../../support/temporaryFolder";
import { assertSameState, isLuvitError } from "../nn/support";
import { perturb, tinyDecoder, tinyViT } from "./support";

before(() => startBackend());

const of = (shape: number[], value = 1): HostTensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});

/** A file of a model's tensors, with more or fewer. */
async function fileOf(state: StateDict, change: (state: StateDict) => void = () => {}): Promise<string> {
  const copy = new Map(state);
  change(copy);
  const path = join(temporaryFolder("names"), "model.safetensors");
  await writeSafetensors(path, copy);
  return path;
}

test("a checkpoint's positions are resized by the rule that is asked for, and MAE's without", async () => {
  const source = classifier.create({ encoder: tinyViT, classes: 3 });
  perturb(source);
  const state = await source.stateDict();
  const path = await fileOf(state);
  const table = state.get("pos_embed")!;
  const large = { ...tinyViT, imageSize: 20 };
  for (const positions of [undefined, "mae", "timm", "dino"] as const) {
    const expected = resizePositionTable(table, { rows: 5, columns: 5 }, 1, positions ?? "mae").data;
    const model = classifier.create({ encoder: large, classes: 3 });
    await classifier.loadCheckpoint(model, path, { positions });
    assert.deepEqual((await model.stateDict()).get("pos_embed")!.data, expected);
    const parts = segmenter.create({ encoder: large, classes: 4 });
    await segmenter.loadCheckpoint(parts, path, { positions });
    assert.deepEqual((await parts.stateDict()).get("pos_embed")!.data, expected);
  }
});

test("a classifier leaves of a file what it has no part for, by its beginning, and refuses everything else", async () => {
  const source = classifier.create({ encoder: tinyViT, classes: 3, pooling: "cls" });
  const state = await source.stateDict();
  const more = (...names: string[]) =>
    fileOf(state, (s) => names.forEach((name) => void s.set(name, of([1]))));
  const report = await classifier.loadCheckpoint(
    source,
    await more("decoder_x", "mask_token", "attn_pool.latent"),
  );
  assert.deepEqual([...report.unexpected].sort(), ["attn_pool.latent", "decoder_x", "mask_token"]);
  for (const name of ["norm_x", "my.decoder_x", "head.1.weight", "fc_norm.weight"])
    await assert.rejects(
      classifier.loadCheckpoint(source, await more(name)),
      isLuvitError("key-mismatch", `unexpected: ${name}`),
    );
  const mean = classifier.create({ encoder: tinyViT, classes: 3 });
  const left = await classifier.loadCheckpoint(mean, await more());
  assert.deepEqual([...left.unexpected].sort(), ["norm.bias", "norm.weight"]);
  assert.deepEqual([...left.missing].sort(), ["fc_norm.bias", "fc_norm.weight"]);
  // MoCo's projection stands where a head would, of up to nine layers.
  const projection = ["head.0.weight", "head.8.bias"];
  const moco = await fileOf(state, (s) => {
    for (const name of ["head.weight", "head.bias"]) s.delete(name);
    for (const name of projection) s.set(name, of([1]));
  });
  assert.deepEqual([...(await classifier.loadCheckpoint(source, moco)).unexpected].sort(), projection);
  const nine = await fileOf(state, (s) => {
    for (const name of ["head.weight", "head.bias"]) s.delete(name);
    s.set("head.9.weight", of([1]));
  });
  await assert.rejects(
    classifier.loadCheckpoint(source, nine),
    isLuvitError("key-mismatch", "head.9.weight"),
  );
});

test("a missing bias of patches is CLIP's, and a fault of any other; its qkv biases are zeros of their rows", async () => {
  for (const preNorm of [true, false]) {
    const source = classifier.create({ encoder: { ...tinyViT, preNorm }, classes: 3, pooling: "cls" });
    perturb(source);
    const path = await fileOf(await source.stateDict(), (s) => {
      s.delete("patch_embed.proj.bias");
      s.delete("blocks.0.attn.qkv.bias");
    });
    if (!preNorm) {
      await assert.rejects(
        classifier.loadCheckpoint(source, path),
        isLuvitError("key-mismatch", "missing: patch_embed.proj.bias"),
      );
      continue;
    }
    await classifier.loadCheckpoint(source, path);
    const state = await source.stateDict();
    assert.deepEqual(state.get("patch_embed.proj.bias")!.data, new Float32Array(16));
    assert.deepEqual(state.get("blocks.0.attn.qkv.bias")!.data, new Float32Array(48));
  }
});

test("a masked auto-encoder's file that has some of a decoder has to have all of it", async () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const path = await fileOf(await model.stateDict(), (s) => void s.delete("decoder_norm.bias"));
  await assert.rejects(
    mae.loadCheckpoint(model, path),
    isLuvitError("key-mismatch", "missing: decoder_norm.bias"),
  );
  const without = await fileOf(await model.stateDict(), (s) => void s.delete("mask_token"));
  await assert.rejects(
    mae.loadCheckpoint(model, without),
    isLuvitError("key-mismatch", "missing: mask_token"),
  );
  const broken = await fileOf(await model.stateDict(), (s) => void s.set("norm.bias", of([16], Number.NaN)));
  await assert.rejects(mae.loadCheckpoint(model, broken), isLuvitError("non-finite", "norm.bias: 16 NaN"));
});

test("a backbone's options are its own: classes, pooling, size, positions, heads and activation", async () => {
  const source = classifier.create({
    encoder: { ...tinyViT, preNorm: true, mlp: "quick-gelu" },
    classes: 3,
    pooling: "cls",
  });
  perturb(source);
  const state = await source.stateDict();
  const path = await fileOf(state);
  const open = (options: object) =>
    classifier.openBackbone(path, { heads: 2, activation: "quick-gelu", ...options });
  const usual = await open({});
  assert.deepEqual(
    [usual.classes, usual.pooling, usual.encoder.config.mlp, usual.encoder.config.normEps],
    [2, "cls", "quick-gelu", 1e-5],
  );
  assert.deepEqual(usual.preprocessing, {
    ...{ size: 12, resize: "shorterSide", cropRatio: 1, interpolation: "bicubic" },
    ...{ mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  });
  const own = await open({ classes: 5, pooling: "mean", imageSize: 20, activation: "gelu", heads: 4 });
  assert.deepEqual(
    [own.classes, own.pooling, own.encoder.config.imageSize, own.preprocessing.size],
    [5, "mean", 20, 20],
  );
  assert.deepEqual([own.encoder.config.mlp, own.encoder.config.heads], ["gelu", 4]);
  const table = state.get("pos_embed")!;
  const positions = async (model: classifier.Classifier) => (await model.stateDict()).get("pos_embed")!.data;
  const resized = (rule: "mae" | "dino" | "timm") =>
    resizePositionTable(table, { rows: 5, columns: 5 }, 1, rule).data;
  assert.deepEqual(await positions(own), resized("mae"), "CLIP's as transformers does");
  assert.deepEqual(await positions(await open({ imageSize: 20, positions: "timm" })), resized("timm"));
  const dino = await fileOf(
    await classifier.create({ encoder: tinyViT, classes: 3, pooling: "cls" }).stateDict(),
    (s) => void s.set("pos_embed", table),
  );
  const other = await classifier.openBackbone(dino, { heads: 2, imageSize: 20 });
  assert.deepEqual(await positions(other), resized("dino"), "of others as DINO does");
  assert.equal(other.encoder.config.normEps, undefined);
  assert.match(`${other}`, /loaded \d+ tensors from/);
  writeFileSync(join(dirname(path), "preprocessor_config.json"), JSON.stringify({ image_mean: [0, 0, 0] }));
  writeFileSync(join(dirname(path), "config.json"), JSON.stringify({ architecture: "vit_quickgelu" }));
  assert.deepEqual((await open({})).preprocessing.mean, [0, 0, 0]);
  const nothing = join(temporaryFolder("names"), "a");
  mkdirSync(nothing);
  await writeSafetensors(join(nothing, "model.safetensors"), new Map([["pos_embed", table]]));
  await assert.rejects(
    classifier.openBackbone(nothing),
    isLuvitError("key-mismatch", "no ViT, it has no patch_embed.proj.weight, blocks.0.attn.qkv.weight"),
  );
});

test("a backbone without a class token pools by mean, and one with a pool of its own by that", async () => {
  const make = (pooling: "mean" | "attention") =>
    classifier.create({ encoder: { ...tinyViT, classToken: false, mlp: "gelu-tanh" }, classes: 3, pooling });
  for (const pooling of ["mean", "attention"] as const) {
    const source = make(pooling);
    perturb(source);
    const model = await classifier.openBackbone(await fileOf(await source.stateDict()), {
      heads: 2,
      activation: "gelu-tanh",
      classes: 3,
    });
    assert.equal(model.pooling, pooling);
    if (pooling === "mean") assert.equal(model.encoder.config.classToken, false);
    else assertSameState(await model.stateDict(), await source.stateDict());
  }
});

test("a backbone is the part of a file that its key names", async () => {
  const [student, teacher] = [1, 2].map((seed) =>
    classifier.create({ encoder: tinyViT, classes: 2, pooling: "cls", seed }),
  );
  const state = new Map<string, HostTensor>();
  for (const [name, model] of [
    ["student", student],
    ["teacher", teacher],
  ] as const)
    for (const [key, tensor] of await model.stateDict()) state.set(`${name}.${key}`, tensor);
  const path = await fileOf(state);
  for (const [key, model] of [
    ["student", student],
    ["teacher", teacher],
  ] as const) {
    const opened = await classifier.openBackbone(path, { key, heads: 2 });
    assertSameState(await opened.stateDict(), await model.stateDict());
    assert.match(`${opened}`, new RegExp(`names without "${key}\\."`));
  }
});

test("an opened classifier has its pooling and its classes from the file", async () => {
  for (const pooling of ["mean", "cls"] as const) {
    const path = await fileOf(await classifier.create({ encoder: tinyViT, classes: 5, pooling }).stateDict());
    const opened = await classifier.open(path, { heads: 2 });
    assert.deepEqual([opened.pooling, opened.classes, opened.loaded?.source], [pooling, 5, path]);
  }
  const bare = await fileOf(new Map([["pos_embed", of([1, 10, 16])]]));
  await assert.rejects(
    classifier.open(bare),
    isLuvitError(
      "key-mismatch",
      "no finetuned ViT, it has no head.weight, patch_embed.proj.weight, blocks.0.mlp.fc1.weight",
    ),
  );
});

test("a place is of a kind by the end of its name: what its axes count, and its unit", () => {
  const pairs = ["images", "heads", "queries", "keys"];
  const tokens = ["images", "tokens", "channels"];
  const kinds: Record<string, [readonly string[], RegExp]> = {
    "blocks.3.attn.pattern": [pairs, /^share of attention; a row sums to 1$/],
    "attn_pool.scores": [pairs, /before softmax and masks$/],
    "blocks.3.attn.heads": [["images", "heads", "tokens", "channels"], /^activation$/],
    logits: [["images", "classes"], /^logit$/],
    pooled: [["images", "channels"], /^activation$/],
    features: [["images", "channels"], /^activation$/],
    ...Object.fromEntries(
      [
        "embed",
        "tokens",
        "fusion.in",
        "fusion.mapper1",
        "fusion.block",
        "fusion.mapper2",
        "fusion.out",
        "blocks.0.norm1",
        "blocks.0.norm2",
      ].map((name) => [name, [tokens, /^activation$/] as [string[], RegExp]]),
    ),
    ...Object.fromEntries(
      [
        "llama.layers.0.attention_norm",
        "llama.layers.0.ffn_norm",
        "blocks.0.middle",
        "blocks.0.mlp.out",
        "head.lora",
      ].map((name) => [name, [tokens, /^activation$/] as [string[], RegExp]]),
    ),
  };
  for (const [name, [axes, unit]] of Object.entries(kinds)) {
    const kind = placeKind(name)!;
    assert.deepEqual(kind.axes, axes, name);
    assert.match(kind.unit, unit);
  }
  for (const name of ["x.logits", "pooled.x", "pattern", "fusion.x", "blocks.0.attn.patterns"])
    assert.equal(placeKind(name), undefined, name);
});
