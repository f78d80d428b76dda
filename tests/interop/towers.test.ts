import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { extractFeatures, relevance, tokenNorms } from "../../src/analysis";
import type { StateDict } from "../../src/core/hostTensor";
import { Rng } from "../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../src/core/tf";
import { imageFolder, transforms } from "../../src/data";
import { fileSource } from "../../src/io/bytes/byteSource";
import { openSafetensors } from "../../src/io/safetensors";
import { llavit } from "../../src/models";
import { LlamaLanguageModel } from "../../src/models/languageModel";
import { towerFeatures } from "../../src/models/llavit/tower";
import { openBackbone } from "../../src/models/openBackbone";
import { loadClassifierFolder } from "../../src/models/openClassifier";
import { assertClose, isLuvitError } from "../unit/nn/support";
import { writeImages } from "../unit/train/support";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "transformers", "timm", "safetensors");
const folder = mkdtempSync(join(tmpdir(), "luvit-towers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let io: StateDict = new Map();

before(async () => {
  await startBackend();
  if (skip) return;
  runPython("towers.py", folder);
  const source = await fileSource(join(folder, "io.safetensors"));
  io = await (await openSafetensors(source)).readTensors();
  await source.close();
});

const given = (name: string): Tensor => {
  const { shape, data } = io.get(name)!;
  return tf.tensor(data as Float32Array, [...shape]);
};
const numbers = (x: Tensor) => x.dataSync();

for (const name of ["clip", "clip-gelu", "clip-whole", "siglip", "siglip-whole"]) {
  test(`the tower ${name} gives transformers' tokens, attention and pooled features`, { skip }, async () => {
    const model = await openBackbone(join(folder, name), { heads: 4 });
    const seen = new Map<string, Tensor>();
    const tap = (place: string, value: Tensor) => void seen.set(place, value);
    assertClose(numbers(model.tokens(given("images"), { tap })), numbers(given(`${name}.normed`)), 2e-4);
    assertClose(numbers(seen.get("blocks.2.attn.pattern")!), numbers(given(`${name}.attention`)), 1e-5);
    assertClose(numbers(model.pool(given("images"))), numbers(given(`${name}.pooled`)), 2e-4);
    const large = model.tokens(given("large"), { positions: "mae" });
    assertClose(numbers(large), numbers(given(`${name}.large`)), 2e-4);
  });
}

for (const name of ["vit", "vit-classes"]) {
  test(`transformers' ViT, ${name}, gives its tokens, also as a tower of a language model`, {
    skip,
  }, async () => {
    const model = await openBackbone(join(folder, name));
    assert.equal(model.encoder.config.heads, 4, "said by its config");
    assertClose(numbers(model.tokens(given("images"))), numbers(given(`${name}.normed`)), 2e-4);
    assertClose(
      numbers(model.tokens(given("large"), { positions: "mae" })),
      numbers(given(`${name}.large`)),
      2e-4,
    );
    const sizes = {
      dim: 16,
      heads: 2,
      hiddenDim: 16,
      normEps: 1e-6,
      ropeTheta: 1e4,
      depth: 1,
      vocabulary: 256,
    };
    const language = new LlamaLanguageModel({ ...sizes, causal: true, rope: true, rowOrder: "hf" });
    const seeing = await llavit.create({ tower: model, language, layers: [1, 2] });
    const features = towerFeatures(seeing.vision_tower, given("images"), seeing.layers, {});
    assertClose(numbers(features), numbers(given(`${name}.hidden`)), 2e-4);
  });
}

for (const name of ["timm-clip", "timm-siglip"]) {
  test(`the tower ${name} gives timm's tokens and pooled features, its channels' mean`, {
    skip,
  }, async () => {
    const model = await openBackbone(join(folder, name), { heads: 4 });
    assertClose(numbers(model.tokens(given("images"))), numbers(given(`${name}.normed`)), 2e-4);
    assertClose(numbers(model.pool(given("images"))), numbers(given(`${name}.pooled`)), 2e-4);
    assert.deepEqual(model.preprocessing.mean, [0.5, 0.4, 0.3]);
  });
}

test("a tower is a model of the house: saved, opened, traced and explained on an engine", {
  skip,
}, async () => {
  const model = await openBackbone(join(folder, "siglip-whole"), { classes: 3 });
  const saved = join(folder, "saved");
  await model.save(saved);
  const again = await loadClassifierFolder(saved);
  assert.deepEqual(numbers(again.forward(given("images"))), numbers(model.forward(given("images"))));
  assert.deepEqual(again.preprocessing.mean, [0.5, 0.5, 0.5]);
  const engine = { engine: "onnxruntime" } as const;
  const kept = await again.trace(given("images"), { keep: ["attn_pool.pattern", "blocks.2.out"], ...engine });
  assert.deepEqual(kept.get("attn_pool.pattern").shape, [2, 4, 1, 25]);
  const image = { data: new Uint8Array(3 * 1600).map((_, i) => (5 * i) % 256), width: 40, height: 40 };
  for (const method of ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const) {
    const [map] = await relevance(again, image, { method, class: 1, ...engine });
    assert.equal(map.patches.length, 25, method);
  }
  assert.equal((await tokenNorms(again, image, engine)).table.toArray()[0].classToken, null);
});

test("features of a tower are what its pooling gives, row by row", { skip }, async () => {
  const model = await openBackbone(join(folder, "siglip"), {});
  const set = await imageFolder(await writeImages(join(folder, "set"), 2), {
    transform: transforms.evaluation(40),
  });
  const one = await set.load(1, new Rng(0));
  const { values, dim } = await extractFeatures(model, set, { engine: "eager" });
  assert.equal(dim, 32);
  const pooled = model.pool(tf.tensor(one.image, [1, 3, 40, 40]));
  assertClose(values.subarray(dim, 2 * dim), numbers(pooled), 1e-4);
});

test("what is not known is refused by name", { skip }, async () => {
  await assert.rejects(openBackbone(join(folder, "naflex"), {}), isLuvitError("bad-argument", "NaFlex"));
  const bare = join(folder, "bare");
  mkdirSync(bare);
  copyFileSync(join(folder, "clip", "model.safetensors"), join(bare, "model.safetensors"));
  const file = join(bare, "model.safetensors");
  await assert.rejects(openBackbone(file, { heads: 4 }), isLuvitError("bad-argument", "activation"));
  const model = await openBackbone(file, { heads: 4, activation: "quick-gelu" });
  assertClose(numbers(model.pool(given("images"))), numbers(given("clip.pooled")), 2e-4);
  await assert.rejects(
    openBackbone(join(folder, "clip"), { activation: "gelu" }),
    isLuvitError("bad-argument", "quick-gelu"),
  );
});
