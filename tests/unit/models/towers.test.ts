import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  attentionDistances,
  attentionEntropy,
  attentionMaps,
  extractFeatures,
  lens,
  patchActivations,
  relevance,
} from "../../../src/analysis";
import { relevanceOfPatches } from "../../../src/analysis/relevance/attentionGradient";
import { rolloutOfPatches } from "../../../src/analysis/relevance/rollout";
import type { StateDict } from "../../../src/core/hostTensor";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { writeSafetensors } from "../../../src/io/safetensors";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import { MaskedAutoencoder } from "../../../src/models/mae";
import { withOfficialNames } from "../../../src/models/officialNames";
import { openBackbone } from "../../../src/models/openBackbone";
import { loadClassifierFolder } from "../../../src/models/openClassifier";
import { loadClassifier } from "../../../src/models/pretrained";
import { saveCheckpoint } from "../../../src/models/saveCheckpoint";
import type { ViTConfig } from "../../../src/models/vit";
import { Imitation } from "../../support/hubImitation";
import { asking } from "../io/hub/support";
import { isLuvitError } from "../nn/support";
import { temporaryFolder, writeImages } from "../train/support";
import { perturb, tinyBlock, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const patchesOnly: ViTConfig = { ...tinyViT, classToken: false, mlp: "gelu-tanh" };
const clipLike: ViTConfig = { ...tinyViT, preNorm: true, mlp: "quick-gelu", normEps: 1e-3 };
const maxAbsDiff = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));
const smallSet = async () =>
  imageFolder(await writeImages(temporaryFolder(), 1), { transform: transforms.evaluation(12) });
const eager = { engine: "eager" } as const;
const image = { data: new Uint8Array(3 * 144).map((_, i) => (7 * i) % 256), width: 12, height: 12 };

function pooling(encoder: ViTConfig, pooling: classifier.Pooling, fusion?: ReturnType<typeof through>) {
  const made = classifier.create({ encoder, fusion, pooling, classes: 3 });
  perturb(made);
  return made;
}

test("a ViT without a class token has as many tokens as patches, on the path of LUViT too", () => {
  const of = pooling(patchesOnly, "attention", through(tinyBlock()));
  assert.deepEqual(of.tokens(tinyImages(2)).shape, [2, 9, 16]);
  assert.deepEqual(of.forward(tinyImages(2)).shape, [2, 3]);
  const kept = of.places().map(({ name }) => name);
  for (const name of ["attn_pool.pattern", "fusion.out", "llama.layers.0.out"])
    assert.ok(kept.includes(name));
});

test("what a pool by attention makes of equal tokens is what it makes of one of them", () => {
  const of = pooling(patchesOnly, "attention");
  const one = tf.randomNormal([2, 1, 16]);
  const many = of.poolTokens(tf.tile(one, [1, 9, 1]));
  assert.ok(maxAbsDiff(many.dataSync(), of.poolTokens(one).dataSync()) < 1e-6);
});

test("models of these kinds are saved and opened, the same bits", async () => {
  for (const of of [
    pooling(patchesOnly, "attention"),
    pooling(clipLike, "cls"),
    pooling(patchesOnly, "mean"),
  ]) {
    const folder = temporaryFolder();
    await of.save(folder);
    const again = await loadClassifierFolder(folder);
    assert.deepEqual(again.encoder.config, of.encoder.config);
    assert.deepEqual(again.forward(tinyImages(1)).dataSync(), of.forward(tinyImages(1)).dataSync());
  }
});

test("every map, the lens, patching and distances know where the patches begin", async () => {
  for (const of of [pooling(patchesOnly, "attention"), pooling(patchesOnly, "mean")]) {
    for (const method of ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const) {
      const [map] = await relevance(of, image, { method, ...eager });
      assert.equal(map.patches.length, 9, method);
      assert.ok(map.patches.some((x) => x !== 0) && map.patches.every(Number.isFinite), method);
    }
    const [maps] = await lens(of, image, eager);
    assert.equal(maps.labels("blocks.1.out").length, 9);
    const set = (await smallSet()).take(1);
    const { table } = await patchActivations(of, set, set, { sites: ["embed"], tokens: "each", ...eager });
    assert.equal(table.numRows, 9);
    assert.equal((await attentionDistances(of, image, eager)).numRows, 4);
  }
});

test("rows of the attention that pools weigh what the layers in front of it brought together", () => {
  const tokens = 4;
  const mixed = Float64Array.from([0.5, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.25, 0.25, 0.25, 0.25]);
  const pool = [0.1, 0.2, 0.3, 0.4];
  const expected = [0.1 * 0.5 + 0.4 * 0.25, 0.1 * 0.5 + 0.2 + 0.1, 0.3 + 0.1, 0.1];
  assert.ok(maxAbsDiff([...rolloutOfPatches(mixed, tokens, "attention", 4, 0, pool)], expected) < 1e-12);
  const relevance = tf.tensor(Float32Array.from(mixed), [1, 4, 4]);
  const map = relevanceOfPatches(relevance, "attention", 4, 0, tf.tensor(pool, [1, 1, 4]));
  assert.ok(maxAbsDiff([...map.dataSync()], expected) < 1e-6);
});

test("what needs a class token says so", async () => {
  assert.throws(() => pooling(patchesOnly, "cls"), isLuvitError("bad-argument", "class token"));
  assert.throws(
    () => new MaskedAutoencoder({ encoder: patchesOnly }),
    isLuvitError("bad-argument", "class token"),
  );
  const of = pooling(patchesOnly, "mean");
  const set = await smallSet();
  const wrong = isLuvitError("bad-argument", "class token");
  await assert.rejects(extractFeatures(of, set, { pool: "class", ...eager }), wrong);
  await assert.rejects(patchActivations(of, set, set, { tokens: "class", ...eager }), wrong);
  await assert.rejects(attentionMaps(of, image, eager), wrong);
  await assert.rejects(attentionEntropy(of, set, eager), wrong);
});

test("errors call a tensor by the name that the file has for it", async () => {
  const file = join(temporaryFolder(), "timm.safetensors");
  const registers = classifier.create({ encoder: { ...tinyViT, registers: 3 }, classes: 3, pooling: "cls" });
  const state = await registers.stateDict();
  const tensor = state.get("register_tokens")!;
  state.delete("register_tokens");
  await writeSafetensors(file, new Map([...state, ["reg_token", tensor]]));
  const without = classifier.create({ encoder: tinyViT, classes: 3, pooling: "cls" });
  const wrong = isLuvitError("key-mismatch", "register_tokens (in the file reg_token)");
  await assert.rejects(loadClassifier(without, file), wrong);
});

test("patches of any aspect ratio are refused by name, from the shape of their weight", () => {
  const tensors: StateDict = new Map([
    ["embeddings.position_embedding.weight", { shape: [2, 2], data: new Float32Array(4) }],
    ["embeddings.patch_embedding.weight", { shape: [2, 12], data: new Float32Array(24) }],
  ]);
  assert.throws(() => withOfficialNames(tensors), isLuvitError("bad-argument", "NaFlex"));
});

test("a backbone is read from the hub, by what its config says", async () => {
  const [served, cache] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(served, { recursive: true });
  const of = pooling(clipLike, "cls");
  await saveCheckpoint(of, join(served, "model.safetensors"));
  writeFileSync(join(served, "config.json"), JSON.stringify({ architecture: "vit_tiny_clip_quickgelu" }));
  const hub = await Imitation.start({ folder: served });
  try {
    const again = await openBackbone("org/name", { heads: 2, classes: 3, ...asking(hub, cache) });
    assert.equal(again.encoder.config.mlp, "quick-gelu");
    assert.ok(again.loaded!.loaded.includes("norm_pre.weight"));
  } finally {
    await hub.stop();
  }
});

test("of a file of several models a backbone is the one that its key names, on the hub as on disk", async () => {
  const [served, cache] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(served, { recursive: true });
  const models = {
    student: pooling(tinyViT, "cls"),
    teacher: classifier.create({ encoder: tinyViT, classes: 3, pooling: "cls" }),
  };
  const both: StateDict = new Map();
  for (const [key, made] of Object.entries(models))
    for (const [name, tensor] of await made.stateDict()) both.set(`${key}.${name}`, tensor);
  const file = join(served, "model.safetensors");
  await writeSafetensors(file, both);
  const hub = await Imitation.start({ folder: served });
  const asked = asking(hub, cache);
  try {
    for (const [key, made] of Object.entries(models)) {
      const expected = (await made.stateDict()).get("pos_embed")!.data;
      for (const opened of [
        await openBackbone(file, { heads: 2, key }),
        await openBackbone("org/name", { heads: 2, key, ...asked }),
      ]) {
        assert.deepEqual((await opened.stateDict()).get("pos_embed")!.data, expected, key);
        for (const [path, { source }] of opened.namedParameters())
          assert.equal(source, undefined, `${path}: the file has others under its name`);
      }
    }
  } finally {
    await hub.stop();
  }
  const kept = await openBackbone("org/name", { heads: 2, key: "student", ...asked });
  assert.match(String(kept), /taken from the cache, commit/, "the hub is gone, which is told");
});

test("a backbone whose file says nothing else has the file for its source, and one of any aspect ratio is told by it", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "plain.safetensors");
  await saveCheckpoint(pooling(tinyViT, "cls"), file);
  const opened = await openBackbone(file, { heads: 2 });
  const sources = new Map([...opened.namedParameters()].map(([path, { source }]) => [path, source]));
  assert.equal(sources.get("blocks.0.attn.qkv.weight"), file);
  assert.equal(sources.get("head.weight"), undefined, "the head is fresh");
  const odd = join(folder, "odd.safetensors");
  const of = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
  const tensors: StateDict = new Map([
    ["embeddings.position_embedding.weight", of(2, 2)],
    ["embeddings.patch_embedding.weight", of(2, 12)],
  ]);
  await writeSafetensors(odd, tensors);
  await assert.rejects(openBackbone(odd), isLuvitError("bad-argument", `${odd}: a SigLIP 2`));
});
