import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  accumulateRelevance,
  layerRelevance,
  relevanceOfPatches,
} from "../../../../src/analysis/relevance/attentionGradient";
import { camPixels, enlarge, minMax, scaleCam } from "../../../../src/analysis/relevance/display";
import { gradCam } from "../../../../src/analysis/relevance/gradCam";
import { siteGradients } from "../../../../src/analysis/relevance/gradients";
import { maskAgreement } from "../../../../src/analysis/relevance/maskAgreement";
import { areaUnder, blurKernel, blurred, steps } from "../../../../src/analysis/relevance/perturbation";
import { predicted, RelevanceMap } from "../../../../src/analysis/relevance/relevance";
import {
  fuseHeads,
  fuseWithGradient,
  rollout,
  rolloutOfPatches,
} from "../../../../src/analysis/relevance/rollout";
import { startBackend, tf } from "../../../../src/core/tf";
import type { Context } from "../../../../src/nn/context";
import { assertClose, isLuvitError } from "../../nn/support";

before(() => startBackend());

// Two heads of two tokens; their products with the gradient are [1, -1, 1, 0] and [-1, 3, 1, -1].
const pattern = () => tf.tensor([0.5, 0.5, 1, 0, 0.25, 0.75, 0.5, 0.5], [1, 2, 2, 2]);
const gradient = () => tf.tensor([2, -2, 1, 1, -4, 4, 2, -2], [1, 2, 2, 2]);

test("a layer's relevance is the mean of each head's positive part, a fused one the positive part of the mean", () => {
  assertClose(layerRelevance(pattern(), gradient()).dataSync(), [0.5, 1.5, 1, 0], 1e-6);
  assertClose(fuseWithGradient(pattern(), gradient()).dataSync(), [0, 1, 1, 0], 1e-6);
  assertClose(fuseHeads(pattern(), "mean").dataSync(), [0.375, 0.625, 0.75, 0.25], 1e-6);
  assertClose(fuseHeads(pattern(), "max").dataSync(), [0.5, 0.75, 1, 0.5], 1e-6);
  assertClose(fuseHeads(pattern(), "min").dataSync(), [0.25, 0.5, 0.5, 0], 1e-6);
});

test("layers are accumulated from the left, the first one first, each image by itself", () => {
  const layer = (...values: number[]) => tf.tensor(values, [1, values.length / 2, 2]);
  const [first, second] = [layer(0, 1, 0, 0), layer(0, 0, 1, 0)];
  assert.deepEqual([...accumulateRelevance([first]).dataSync()], [1, 1, 0, 1]);
  assert.deepEqual([...accumulateRelevance([first, second]).dataSync()], [1, 1, 1, 2]);
  assert.deepEqual([...accumulateRelevance([first, layer(2, 3)]).dataSync()], [3, 6], "of one query");
  const both = accumulateRelevance([tf.concat([first, second], 0), tf.concat([second, first], 0)]);
  assert.deepEqual([...both.dataSync()], [1, 1, 1, 2, 2, 1, 1, 1]);
});

test("patches are read in the class token's row, in the mean of the patches' or in the rows that a pool weighs", () => {
  // Row i, column j holds 10 i + j: a class token, two patches, a register.
  const values = Array.from({ length: 16 }, (_, i) => 10 * Math.floor(i / 4) + (i % 4));
  const whole = tf.tensor(values, [1, 4, 4]);
  const pool = [1, 2, 3];
  const of = (...args: [("cls" | "mean" | "attention")?, number?, number?]) => {
    const [pooling = "cls", patches, firstPatch] = args;
    const weights = pooling === "attention" ? pool : undefined;
    const traced = relevanceOfPatches(
      whole,
      pooling,
      patches,
      firstPatch,
      weights && tf.tensor(weights, [1, 1, 3]),
    );
    const plain = rolloutOfPatches(Float64Array.from(values), 4, pooling, patches, firstPatch, weights);
    assert.deepEqual([...plain], [...traced.dataSync()]);
    return [...plain];
  };
  assert.deepEqual(of("cls"), [1, 2, 3]);
  assert.deepEqual(of("mean"), [21, 22, 23]);
  assert.deepEqual(of("cls", 2, 1), [1, 2]);
  assert.deepEqual(of("mean", 2, 1), [16, 17]);
  assert.deepEqual(of("mean", 3, 0), [10, 11, 12]);
  assert.deepEqual(of("attention", 2, 1), [86, 92]);
});

test("Grad-CAM weighs channels by the mean of the patches' gradients, the class token's left out", () => {
  const activation = tf.tensor([9, 9, 1, 2, 3, 4, 7, 7], [1, 4, 2]);
  const slopes = tf.tensor([100, 100, 1, 0, 3, -2, 50, 50], [1, 4, 2]);
  assert.deepEqual([...gradCam(activation, slopes, 2, 1).dataSync()], [0, 2]);
  assert.deepEqual([...gradCam(activation, slopes, 1, 2).dataSync()], [3 * 3 - 2 * 4]);
  assert.equal(gradCam(activation, slopes).shape[1], 3);
});

test("maps are enlarged between the middles of their patches and shown from 0 to 1", () => {
  assert.deepEqual([...minMax([2, 6, 4])], [0, 1, 0.5]);
  assert.deepEqual([...minMax([3, 3])], [0, 0]);
  assertClose(scaleCam([2, 6, 4]), [0, 1, 0.5], 1e-6);
  assert.deepEqual([...scaleCam([3, 3])], [0, 0]);
  assert.equal(scaleCam([0, 1e-7])[1], Math.fround(0.5), "a ten-millionth is added to what is divided by");
  assertClose(enlarge([0, 1], { rows: 1, columns: 2 }, { rows: 1, columns: 4 }), [0, 0.25, 0.75, 1], 1e-6);
  assertClose(enlarge([0, 1], { rows: 2, columns: 1 }, { rows: 4, columns: 1 }), [0, 0.25, 0.75, 1], 1e-6);
  const row = { rows: 1, columns: 3 };
  assertClose(camPixels([[-9, 2, 0], [4, 0, 0]], row, row), [1, 1, 0], 1e-6); // biome-ignore format: two maps
  assertClose(
    camPixels([[-5, 2]], { rows: 1, columns: 2 }, { rows: 1, columns: 4 }),
    [0, 0.25, 0.75, 1],
    1e-6,
  );
  assert.deepEqual([...camPixels([[-3, -1]], { rows: 1, columns: 2 }, { rows: 1, columns: 2 })], [0, 0]);
});

test("rollout mixes half of the identity in, normalizes rows or as vit-explain does, and goes on from the left", () => {
  const layers = [[0.2, 0.8, 0.6, 0.4], [0, 2, 2, 4]]; // biome-ignore format: two layers
  assertClose(rollout(layers.slice(0, 1), 2), [0.6, 0.4, 0.3, 0.7], 1e-12);
  assertClose(rollout(layers, 2), [0.4, 0.6, 2.7 / 7, 4.3 / 7], 1e-12);
  const official = [0.2 + 0.6 / 7, 0.4 / 3 + 0.2, 0.4 + 1.5 / 7, 0.8 / 3 + 0.5];
  assertClose(rollout(layers, 2, { normalize: "official" }), official, 1e-12);
});

test("the smallest entries of a whole layer are left out of rollout, what the class token has of itself never", () => {
  const layer = Float32Array.of(0.1, 0.4, 0.3, 0.2);
  const of = (discard: number, spareClass?: boolean) => rollout([layer], 2, { discard, spareClass });
  assertClose(of(0.5), [0.55 / 0.75, 0.2 / 0.75, 0.15 / 0.65, 0.5 / 0.65], 1e-6);
  assertClose(of(0.5, false), [0.5 / 0.7, 0.2 / 0.7, 0.15 / 0.65, 0.5 / 0.65], 1e-6);
  assertClose(of(0.49), of(0), 1e-12, "one of four, which is spared");
  assert.deepEqual(layer, Float32Array.of(0.1, 0.4, 0.3, 0.2), "the layer itself is left as it is");
  const even = rollout([[0.5, 0.5, 0.5, 0.5]], 2, { discard: 0.5 });
  assertClose(even, [1, 0, 1 / 4, 3 / 4], 1e-12, "of equal ones the first");
});

test("gradients are those towards the values of the places wanted, and no others", () => {
  const score = ({ tap, edit }: Context) => {
    const see = (name: string, value: tf.Tensor) => {
      tap?.(name, value);
      return edit?.(name, value) ?? value;
    };
    const a = see("a", tf.tensor([1, 2]));
    const b = see("b", tf.mul(a, tf.tensor([3, 4])));
    return tf.square(b);
  };
  const { values, gradients } = siteGradients(score, (name) => name !== "c");
  assert.deepEqual([[...values.keys()], [...gradients.keys()]], [["a", "b"], ["a", "b"]]); // biome-ignore format: a pair
  assertClose(values.get("b")!.dataSync(), [3, 8], 1e-6);
  assertClose(gradients.get("b")!.dataSync(), [6, 16], 1e-6);
  assertClose(gradients.get("a")!.dataSync(), [18, 64], 1e-6);
  assert.deepEqual([...siteGradients(score, (name) => name === "b").gradients.keys()], ["b"]);
});

test("a blur adds nothing beyond the border, and planes do not run into each other", () => {
  const planes = Float32Array.from({ length: 24 }, (_, i) => (i < 12 ? 1 : 10));
  const box = new Float64Array(9).fill(1);
  const counts = [4, 6, 6, 4, 6, 9, 9, 6, 4, 6, 6, 4];
  assert.deepEqual([...blurred(planes, 3, 4, box)], [...counts, ...counts.map((x) => 10 * x)]);
  const dot = new Float32Array(15 * 13);
  dot[7 * 13 + 6] = 1;
  const kernel = blurKernel();
  const soft = blurred(dot, 15, 13, kernel);
  for (let y = -5; y <= 5; y++)
    for (let x = -5; x <= 5; x++)
      assert.equal(soft[(7 + y) * 13 + 6 + x], Math.fround(kernel[(5 + y) * 11 + 5 + x]));
});

test("the blur's kernel is a dot under a Gaussian whose ends are mirrored", () => {
  for (const [size, sigma] of [
    [3, 1],
    [11, 5],
  ]) {
    const dot = Array.from({ length: size }, (_, i) => Number(i === (size - 1) / 2));
    const turned = [...dot].reverse();
    const long = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((copy) => (copy % 2 === 0 ? dot : turned));
    const radius = Math.floor(4 * sigma + 0.5);
    const gauss = Array.from({ length: 2 * radius + 1 }, (_, i) =>
      Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
    );
    const whole = gauss.reduce((a, b) => a + b);
    const line = dot.map((_, i) =>
      gauss.reduce((sum, weight, j) => sum + (weight / whole) * long[4 * size + i + j - radius], 0),
    );
    const expected = line.flatMap((a) => line.map((b) => a * b));
    assertClose(blurKernel(size, sigma), expected, 1e-12, `${size}`);
  }
});

test("the last step of a curve takes what is left, and the area counts both ends half", () => {
  const start = Float32Array.of(1, 2, 3, 4, 5, 6);
  const seen = Array.from(steps(start, new Float32Array(6), Uint32Array.of(2, 0, 1), 2), (one) => [...one]);
  assert.deepEqual(seen, [
    [1, 2, 3, 4, 5, 6],
    [0, 2, 0, 0, 5, 0],
    [0, 0, 0, 0, 0, 0],
  ]);
  assert.deepEqual([...start], [1, 2, 3, 4, 5, 6], "the image itself stays");
  assert.deepEqual([areaUnder([2, 2, 2]), areaUnder([0, 1, 0.5])], [2, 0.625]);
});

test("without a patch that counts there is no agreement, without any patch of either no overlap", () => {
  const given = (foreground: number[], valid: number[] | undefined, patches: number[]) =>
    maskAgreement({
      sample: { foreground: Uint8Array.from(foreground), valid: valid && Uint8Array.from(valid) },
      patches: Float32Array.from(patches),
    } as unknown as RelevanceMap);
  assert.deepEqual(given([1, 0], [0, 0], [1, 2]), { accuracy: null, iou: null });
  assert.deepEqual(given([0, 0], [1, 1], [3, 3]), { accuracy: 1, iou: null });
  assert.deepEqual(given([1, 0], undefined, [3, 3]), { accuracy: 0.5, iou: 0 }, "none is above the mean");
});

test("the class that is answered is the first of the largest logits", () => {
  assert.deepEqual([...predicted(tf.tensor2d([[1, 3, 2], [5, 5, 0]])).dataSync()], [0, 1, 0, 1, 0, 0]); // biome-ignore format: a matrix
});

test("a map says in a line what it is of, and what is none is refused", () => {
  const explainer = {
    traced: () => ({}),
    patches: () => Float32Array.of(1),
    pixels: () => Float32Array.of(1),
  };
  const sample = { path: "cat.png", label: 0, index: 0, image: new Float32Array(3) };
  const grid = { rows: 1, columns: 1 };
  const map = new RelevanceMap(sample, "legrad", 7, 0.1234, grid, grid, explainer, {});
  assert.equal(String(map), "RelevanceMap(cat.png, legrad, class 7 at 12.3 %)");
  for (const wrong of [{ sample: {} }, { explainer: { patches: () => {} } }]) {
    const { sample: own = sample, explainer: by = explainer } = wrong as never;
    const make = () => new RelevanceMap(own, "legrad", 7, 0.5, grid, grid, by, {});
    assert.throws(make, isLuvitError("bad-argument", "from analysis.relevance"));
  }
});
