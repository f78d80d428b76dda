import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { gradientSignal } from "../../../src/analysis/gradientSignal";
import { signalToNoiseOf } from "../../../src/analysis/gsnr";
import { rowsOf } from "../../../src/analysis/provenance";
import { codeVersion } from "../../../src/core/commit";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { batches } from "../../../src/data/loader";
import * as transforms from "../../../src/data/transforms";
import { smoothedTargets, softTargetCrossEntropy } from "../../../src/nn/losses";
import { lossAndGradients } from "../../../src/optim/gradients";
import { assertRejects, temporaryFolder, tinyClassifier, tinyLuvit, tinyMae, writeImages } from "./support";

before(async () => void (await startBackend()));

const folder = async () =>
  imageFolder(await writeImages(temporaryFolder()), { transform: transforms.evaluation(16) });

/** Gradients of one parameter, image by image, in the order of the set. */
async function gradientsOf(model: ReturnType<typeof tinyClassifier>, path: string): Promise<number[]> {
  const variables = new Map([[path, new Map(model.namedParameters()).get(path)!.value as tf.Variable]]);
  const all: number[] = [];
  for await (const { images, labels } of batches(await folder(), { batchSize: 1, shuffle: false })) {
    const gradients = tf.tidy(() => {
      const targets = tf.tensor(smoothedTargets(labels, 2, 0), [1, 2]);
      const loss = () => softTargetCrossEntropy(model.forward(tf.tensor(images, [1, 3, 16, 16])), targets);
      return [...lossAndGradients(loss, variables).gradients.values()][0].dataSync();
    });
    all.push(...gradients);
  }
  return all;
}

test("the ratio gathered on an engine is that of the gradients of single images", async () => {
  const model = tinyClassifier();
  const signal = await gradientSignal(model, await folder(), { recipe: "finetuneLuvit", seed: 3 });
  assert.deepEqual([signal.groups, signal.groupSize], [12, 1]);
  const rows = rowsOf(signal.table);
  for (const path of ["head.weight", "blocks.1.mlp.fc1.weight", "patch_embed.proj.bias"]) {
    const row = rows.find(({ parameter }) => parameter === path)!;
    const ratios = signalToNoiseOf(await gradientsOf(model, path), row.size as number);
    const expected = ratios.reduce((sum, x) => sum + x, 0) / ratios.length;
    assert.ok(Math.abs((row.gsnr as number) / expected - 1) < 1e-3, `${path}: ${row.gsnr}, not ${expected}`);
    assert.deepEqual([row.recipe, row.seed, row.model], ["finetuneLuvit", 3, model.toString()]);
    assert.equal(row.commit, codeVersion());
  }
});

test("of groups, the variance is that of their means times the images in one", async () => {
  const model = tinyClassifier();
  const [groupSize, seed] = [3, 2];
  const signal = await gradientSignal(model, await folder(), { groupSize, seed });
  const path = "blocks.1.mlp.fc1.weight";
  const variable = new Map(model.namedParameters()).get(path)!.value as tf.Variable;
  const means: Float32Array[] = [];
  for await (const { images, labels } of batches(await folder(), { batchSize: groupSize, seed })) {
    const gradient = tf.tidy(() => {
      const targets = tf.tensor(smoothedTargets(labels, 2, 0), [groupSize, 2]);
      const shape = [groupSize, 3, 16, 16];
      const loss = () => softTargetCrossEntropy(model.forward(tf.tensor(images, shape)), targets);
      return lossAndGradients(loss, new Map([[path, variable]]))
        .gradients.get(path)!
        .dataSync();
    });
    means.push(gradient as Float32Array);
  }
  assert.equal(means.length, 4);
  const ratios = Array.from(means[0], (_, i) => {
    const values = means.map((gradient) => gradient[i]);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
    return mean ** 2 / (groupSize * variance);
  });
  const expected = ratios.reduce((sum, x) => sum + x, 0) / ratios.length;
  const found = rowsOf(signal.table).find(({ parameter }) => parameter === path)!.gsnr as number;
  assert.ok(Math.abs(found / expected - 1) < 1e-2, `${found}, not ${expected}`);
});

test("layers are the model's, every trained parameter weighs the same, frozen ones have no ratio", async () => {
  const signal = await gradientSignal(tinyLuvit(), await folder(), { groups: 3 });
  const layers = signal.layers.map(({ layer }) => layer);
  assert.deepEqual(layers.slice(0, 5), ["cls_token", "pos_embed", "patch_embed", "blocks.0", "blocks.1"]);
  assert.ok(!layers.some((layer) => layer.startsWith("llama.")), "the block is frozen");
  const rows = rowsOf(signal.table) as { layer: string; size: number; gsnr: number }[];
  const block = rows.filter(({ layer }) => layer === "blocks.0");
  const size = block.reduce((sum, row) => sum + row.size, 0);
  const mean = block.reduce((sum, row) => sum + row.size * row.gsnr, 0) / size;
  const { gsnr, parameters } = signal.layers.find(({ layer }) => layer === "blocks.0")!;
  assert.equal(parameters, size);
  assert.ok(Math.abs(gsnr - mean) < 1e-12);
  assert.match(inspect(signal), /3 groups of 1\n {2}cls_token /);
});

test("larger groups estimate the same ratio, of a masked auto-encoder too, alike on every engine", async () => {
  const options = { groupSize: 3, seed: 1 };
  const set = await folder();
  for (const model of [tinyMae(), tinyClassifier()]) {
    const eager = await gradientSignal(model, set, { ...options, engine: "eager" });
    const graph = await gradientSignal(model, set, { ...options, engine: "onnxruntime" });
    assert.equal(graph.groups, 4);
    assert.ok(Math.abs(graph.mean / eager.mean - 1) < 1e-2, `${graph.mean}, ${eager.mean}`);
  }
});

test("too few images and images of another size are refused, and nothing stays in memory", async () => {
  const set = await folder();
  const model = tinyClassifier();
  await gradientSignal(model, set, { groups: 2, engine: "eager" });
  const { numTensors } = tf.memory();
  await gradientSignal(model, set, { groups: 2, engine: "eager" });
  assert.equal(tf.memory().numTensors, numTensors);
  await assertRejects(
    gradientSignal(model, set, { groupSize: 12 }),
    "bad-argument",
    "1 groups of 12 from 12",
  );
  const large = await imageFolder(set.root, { transform: transforms.evaluation(32) });
  await assertRejects(gradientSignal(model, large), "bad-argument", "32 px");
});
