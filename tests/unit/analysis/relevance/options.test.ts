import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { faithfulness, relevance } from "../../../../src/analysis";
import { releaseKept } from "../../../../src/analysis/keptForward";
import type { RelevanceOptions } from "../../../../src/analysis/relevance";
import { accumulateRelevance, layerRelevance } from "../../../../src/analysis/relevance/attentionGradient";
import { siteGradients } from "../../../../src/analysis/relevance/gradients";
import { fuseHeads, rollout, rolloutOfPatches } from "../../../../src/analysis/relevance/rollout";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import { normalize } from "../../../../src/data/pixels";
import * as classifier from "../../../../src/models/classifier";
import type { Context } from "../../../../src/nn/context";
import { perturb } from "../../models/support";
import { assertClose } from "../../nn/support";
import { temporaryFolder, tinyViT, writeImages } from "../../train/support";
import { maskedImages, tinyClassifier, tinyLuvit } from "../support";

before(() => startBackend());

const eager = { engine: "eager" } as const;
const image = { data: new Uint8Array(3 * 256).map((_, i) => (i * i) % 256), width: 16, height: 16 };
const layers = ["blocks.0", "blocks.1", "llama.layers.0"];

test("each choice of rollout is made: of heads, of layers, of what is left out and of how rows are scaled", async () => {
  const model = tinyLuvit();
  perturb(model);
  const patterns = new Map<string, Tensor>();
  model.tokens(tf.tensor(normalize(image), [1, 3, 16, 16]), {
    tap: (name, value) => void patterns.set(name, value),
  });
  const of = (layer: string) =>
    patterns.get(`${layer}.${layer.startsWith("llama.") ? "attention" : "attn"}.pattern`)!;
  for (const options of [
    { heads: "max" },
    { heads: "min", normalize: "official" },
    { discard: 0.4, layers: ["llama.layers.0", "blocks.0"] },
  ] as const) {
    const { heads = "mean", layers: wanted = layers, ...how } = options as RelevanceOptions;
    const fused = layers
      .filter((layer) => wanted.includes(layer))
      .map((layer) => fuseHeads(of(layer), heads));
    const rolled = rollout(fused.map((one) => one.dataSync() as Float32Array), 5, how); // biome-ignore format: one call
    const map = rolloutOfPatches(rolled, 5, "mean");
    const [found] = await relevance(model, image, { method: "rollout", ...options, ...eager });
    assertClose(found.patches, map.map((x) => x / Math.max(...map)), 1e-5, JSON.stringify(options)); // biome-ignore format: one call
  }
});

test("layers add up in LeGrad and are averaged in Grad-CAM, whose default is the last block of the ViT", async () => {
  const model = tinyClassifier();
  perturb(model);
  const of = async (options: RelevanceOptions) =>
    (await relevance(model, image, { class: 1, ...options, ...eager }))[0].patches;
  const parts = (method: "legrad" | "gradcam") =>
    Promise.all(["blocks.0", "blocks.1"].map((layer) => of({ method, layers: [layer] })));
  const [first, last] = await parts("legrad");
  const sum = first.map((x, i) => x + last[i]);
  assertClose(await of({ method: "legrad" }), sum, 1e-6);
  const [before, end] = await parts("gradcam");
  assert.deepEqual(await of({ method: "gradcam" }), end);
  const mean = before.map((x, i) => (x + end[i]) / 2);
  assertClose(await of({ method: "gradcam", layers: ["blocks.0", "blocks.1"] }), mean, 1e-6);
});

test("a graph that stays open is used for nothing but the same question", async () => {
  const model = tinyClassifier();
  perturb(model);
  const [{ label }] = await relevance(model, image, eager);
  const other = 1 - label;
  const questions: RelevanceOptions[] = [
    { class: other },
    {},
    { class: other, layers: ["blocks.1"] },
    { class: other, method: "legrad" },
    { class: other, method: "legrad", score: "clip" },
  ];
  const ask = async (how: object) => {
    const found: Float32Array[] = [];
    for (const question of questions)
      found.push((await relevance(model, image, { ...question, ...how }))[0].patches);
    return found;
  };
  const [graphs, plain] = [await ask({ engine: "onnxruntime" }), await ask(eager)];
  for (const [i, patches] of graphs.entries())
    assertClose(patches, plain[i], 1e-4, JSON.stringify(questions[i]));
  const told = new Set(plain.map((patches) => [...patches].map((x) => x.toPrecision(3)).join()));
  assert.equal(told.size, questions.length, "each has an answer of its own");
  await releaseKept();
});

test("labels stay with their images where one between them cannot be read", async () => {
  const model = tinyClassifier();
  perturb(model);
  const folder = await writeImages(temporaryFolder(), 3);
  const set = await imageFolder(folder, { transform: transforms.evaluation(16) });
  const whole = await relevance(model, set, { class: "label", ...eager });
  writeFileSync(set.path(1), "no image");
  const broken = await imageFolder(folder, { transform: transforms.evaluation(16) });
  const left = await relevance(model, broken, { class: "label", batchSize: 3, ...eager });
  assert.deepEqual(left.map(({ label }) => label), [0, 0, 1, 1, 1]); // biome-ignore format: one call
  for (const map of left) {
    const same = whole.find(({ sample }) => sample.index === map.sample.index)!;
    assertClose(map.patches, same.patches, 1e-5);
    assert.ok(Math.abs(map.probability - same.probability) < 1e-6);
  }
});

test("faithfulness asks the methods it is given, four by default, and notes what the numbers are of", async () => {
  const model = tinyClassifier();
  perturb(model);
  const set = await maskedImages([["object", "ground", "ground", "ground"]]);
  const about = { model: "mine", data: "quarters", recipe: "none", seed: 5 };
  const { table, summary, curves } = await faithfulness(model, set, { step: 128, ...about, ...eager });
  assert.deepEqual(
    table.toArray().map(({ method }) => method),
    ["chefer", "legrad", "gradcam", "rollout"],
  );
  for (const one of [table, summary, curves]) {
    const { model, data, recipe, seed } = one.toArray()[0];
    assert.deepEqual({ model, data, recipe, seed }, about);
  }
  const [{ class: named }] = table.toArray();
  const [{ label }] = await relevance(model, set, eager);
  assert.equal(named, label, "the class is the one that the model answers");
  const [plain] = (
    await faithfulness(model, set, { methods: ["rollout"], step: 128, ...eager })
  ).table.toArray();
  assert.deepEqual([plain.model, plain.data, plain.seed], [model.toString(), null, null]);
});

test("attention that pools is one more layer, of one query, for the gradients as for rollout", async () => {
  const encoder = { ...tinyViT, classToken: false };
  const model = classifier.create({ encoder, classes: 2, pooling: "attention" });
  perturb(model);
  const fed = tf.tensor(normalize(image), [1, 3, 16, 16]);
  const score = (context: Context) => tf.slice(model.forward(fed, context), [0, 1], [1, 1]);
  const { values, gradients } = siteGradients(score, (name) => name.endsWith(".pattern"));
  const names = ["blocks.0.attn.pattern", "blocks.1.attn.pattern"];
  const own = (name: string) => layerRelevance(values.get(name)!, gradients.get(name)!);
  const pool = "attn_pool.pattern";
  const whole = accumulateRelevance(names.map(own));
  const expected = tf.matMul(own(pool), whole).dataSync();
  const [chefer] = await relevance(model, image, { class: 1, ...eager });
  assertClose(chefer.patches, expected, 1e-6);
  const mean = (name: string) => fuseHeads(values.get(name)!, "mean");
  const rolled = rollout(
    names.map((name) => mean(name).dataSync() as Float32Array),
    4,
  );
  const map = tf
    .matMul(tf.reshape(mean(pool), [1, 4]), tf.tensor(Float32Array.from(rolled), [4, 4]))
    .dataSync();
  const [plain] = await relevance(model, image, { method: "rollout", ...eager });
  const most = Math.max(...map);
  const shares = Array.from(map, (x) => x / most);
  assertClose(plain.patches, shares, 1e-5);
});
