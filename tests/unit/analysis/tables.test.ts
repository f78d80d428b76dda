import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivationPatching, HeadAblation, LensProbes } from "../../../src/analysis";
import { AnswerAttention } from "../../../src/analysis/answers/answerAttention";
import { VisualTokens } from "../../../src/analysis/answers/visualTokens";
import { rowPhases } from "../../../src/analysis/fourier";
import { signalToNoise, signalToNoiseOf } from "../../../src/analysis/gsnr";
import { LensMaps } from "../../../src/analysis/lens";
import { PairedDifference, pairedDifference, verdictOfAll } from "../../../src/analysis/pairedSeeds";
import {
  paperEntropyShares,
  paperTable1,
  paperTable2,
  paperTable3,
  paperTable5,
  paperTable7,
  publishedDetectors,
  publishedImageNetS919,
} from "../../../src/analysis/paper";
import { rowsOf } from "../../../src/analysis/provenance";
import { distancesFromMean, frequencyMap, magnitudeMap } from "../../../src/analysis/pseudoMasks";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { softmaxOf } from "../../../src/analysis/softmax";
import { stackedRows } from "../../../src/analysis/stackedRows";
import { seedStatistics } from "../../../src/analysis/statistics";
import { assertClose, isLuvitError } from "../nn/support";
import { tinyClassifier } from "../train/support";

test("the paper's numbers are the paper's", () => {
  const pair = (ViT: number, LUViT: number) => ({ ViT, LUViT });
  assert.deepEqual(paperTable1, { in1k: { ViT: 83.2 } });
  assert.deepEqual(paperTable2, {
    bbox: { AP: pair(50.6, 51.1), AP50: pair(71, 71.5), AP75: pair(55.5, 55.9) },
    segm: { AP: pair(44.9, 45.1), AP50: pair(68.2, 68.8), AP75: pair(48.7, 48.8) },
  });
  assert.deepEqual(paperTable3, { c: { ViT: 60.5 } });
  assert.deepEqual(paperTable5, {
    original: pair(96.5, 96.6),
    mixed_same: pair(87.8, 89.2),
    mixed_rand: pair(83.2, 85.3),
  });
  const sets = ["ImageNet-S-50", "ImageNet-S-300", "ImageNet-S-919"] as const;
  const columns = (of: (set: (typeof sets)[number]) => unknown) => sets.map(of);
  assert.deepEqual(columns((set) => paperTable7[set].frequency), [pair(39.8, 41.3), pair(40.9, 42.3), pair(40.8, 42.1)]); // biome-ignore format: one row
  assert.deepEqual(columns((set) => paperTable7[set].magnitude), [pair(42.3, 43.8), pair(42.8, 43.5), pair(42.8, 43.3)]); // biome-ignore format: one row
  assert.deepEqual(
    columns((set) => paperEntropyShares[set]),
    [pair(42, 84), pair(43, 83), pair(44, 83)],
  );
  assert.deepEqual(
    publishedDetectors.map(({ model, code, bbox, segm }) => [model, code, bbox.AP, segm.AP]),
    [
      ["ViT-B/16", "mmdetection", 50.6, 44.9],
      ["LUViT-B/16", "mmdetection", 51.1, 45.1],
      ["ViT-B/16, MAE 1600 epochs", "detectron2", 51.6, 45.9],
    ],
  );
  assert.deepEqual(publishedImageNetS919.map(({ val, test }) => [val, test]), [[38.3, 37], [61, 60.2], [40, undefined], [61.6, undefined], [41, 40.2], [58.9, 57.8]]); // biome-ignore format: one row
});

test("what heads are worth is the mean of the margins they cost, over the images that were seen without them", () => {
  const row = (index: number, head: number, margin: number) => ({
    index,
    layer: head < 0 ? "whole" : "blocks.0",
    head,
    margin,
    right: Number(margin > 0),
  });
  const rows = [row(4, -1, 2), row(9, -1, -1), row(4, 0, 1), row(9, 0, -5), row(4, 1, -3), row(9, 1, 2)];
  const places = [0, 1, 2].map((head) => ({ layer: "blocks.0", head }));
  const heads = { layers: ["blocks.0"], counts: [3], most: 3, places };
  const from = { model: "m", data: "d", recipe: "r", seed: 2 };
  const found = new HeadAblation(rows, heads, from, [{ start: 10, end: 12 }], 3);
  assert.equal(found.accuracy, 50);
  const half = 12.7062047362; // Student's t of one degree, 95 %
  const numbers = rowsOf(found.table).map(({ head, images, accuracy, accuracyDrop, marginDrop, low, high }) =>
    [head, images, accuracy, accuracyDrop, marginDrop, low, high].map((x) => (typeof x === "number" ? Number(x.toFixed(6)) : x)),
  ); // biome-ignore format: one row
  // Drops of 1 and 4, of 5 and -3; their standard errors are 1.5 and 4.
  assert.deepEqual(numbers, [
    [0, 2, 50, 0, 2.5, Number((2.5 - 1.5 * half).toFixed(6)), Number((2.5 + 1.5 * half).toFixed(6))],
    [1, 2, 50, 0, 1, Number((1 - 4 * half).toFixed(6)), Number((1 + 4 * half).toFixed(6))],
    [2, 0, null, null, null, null, null],
  ]);
  const [{ model, data, recipe, seed }] = rowsOf(found.table);
  assert.deepEqual({ model, data, recipe, seed }, from);
  const lines = String(found).split("\n");
  assert.equal(lines[0], "50.0 % right with all heads; the ten that help most:");
  assert.match(lines[3], /^blocks\.0 +0 +0\.0 +2\.500$/);
  assert.match(lines[4], /^blocks\.0 +1 +0\.0 +1\.000$/);
  assert.deepEqual(lines.slice(5), [
    "not got to: images 10 to 11",
    "could not be read, and left out: 3 images",
  ]);
  const many = Array.from({ length: 12 }, (_, head) => row(0, head, head));
  const all = { ...heads, places: many.map(({ head }) => ({ layer: "blocks.0", head })) };
  const shown = String(new HeadAblation([row(0, -1, 20), ...many], all, {}, []))
    .split("\n")
    .slice(3);
  assert.deepEqual(shown.map((line) => Number(line.split(/ +/)[1])), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]); // biome-ignore format: one row
});

test("patched activations are told by place and token, what cannot be divided left out of the mean", () => {
  const row = (index: number, site: string, token: number, recovered: number, flipped: number) => {
    return { index, site, token, recovered, flipped };
  };
  const rows = [
    row(0, "embed", 0, 0.5, 1),
    row(0, "embed", 1, 2, 0),
    row(1, "embed", 0, 1, 0),
    row(1, "embed", 1, Number.POSITIVE_INFINITY, 1),
    row(2, "embed", 1, Number.NaN, 1),
    row(0, "blocks.0.out", -1, 0, 0),
  ];
  const found = new ActivationPatching(rows, { model: "m", seed: 1 }, [{ start: 3, end: 4 }], 1);
  assert.equal(found.pairs.numRows, 6);
  assert.deepEqual(
    found.table.schema.fields.slice(-7).map(({ name }) => name),
    ["site", "token", "pairs", "recovered", "low", "high", "flipped"],
  );
  const table = rowsOf(found.table);
  assert.deepEqual(
    table.map(({ site, token, pairs, recovered, flipped }) => [site, token, pairs, recovered, Math.round(Number(flipped))]),
    [["embed", 0, 2, 0.75, 50], ["embed", 1, 3, 2, 67], ["blocks.0.out", -1, 1, 0, 0]],
  ); // biome-ignore format: a line each
  assertClose([Number(table[0].low), Number(table[0].high)], [0.75 - 0.25 * 12.7062047, 0.75 + 0.25 * 12.7062047], 1e-6); // biome-ignore format: one call
  assert.deepEqual([table[1].low, table[1].high, table[0].model, table[0].seed], [null, null, "m", 1]);
  const lines = String(found).split("\n");
  assert.match(lines[2], /^embed +0 +0\.750 +-2\.427 to 3\.927 +50\.0$/);
  assert.match(lines[4], /^blocks\.0\.out +0\.000 +– to – +0\.0$/);
  assert.deepEqual(lines.slice(5), ["not got to: images 3 to 3", "could not be read, and left out: 1 image"]);
});

test("a measure of zero counts as any other", () => {
  const row = (path: string, accuracy: number | null): Row => ({
    ...{ path, method: "rollout", class: 0, deletion: 0, insertion: 1, accuracy, iou: accuracy },
    curves: { deletion: [0, 0], insertion: [1, 1] },
  });
  const { summary } = new Faithfulness([row("a", 0), row("b", 0.5), row("c", null)], {});
  assert.deepEqual(
    rowsOf(summary).map(({ measure, mean, images }) => [measure, mean, images]),
    [["deletion", 0, 3], ["insertion", 1, 3], ["accuracy", 0.25, 2], ["iou", 0.25, 2]],
  ); // biome-ignore format: a line each
});

test("signal to noise is the squared mean over the variance, divided by one less than the samples or by all", () => {
  const gradients = [1, 0, 3, 10, 5, -10]; // of two parameters: 1, 3, 5 and 0, 10, -10
  assertClose(signalToNoiseOf(gradients, 2), [9 / 4, 0], 1e-9);
  assertClose(signalToNoiseOf(gradients, 2, "biased"), [9 / (8 / 3), 0], 1e-9);
  assertClose(signalToNoise([2, -3], [1, 2]), [4, 4.5], 1e-9);
  assert.deepEqual(
    [...signalToNoise([0, 1e-6], [0, 0])],
    [0, 1e-12 / 1e-12],
    "a trillionth is added to a variance",
  );
});

test("probabilities are the same however large the logits are", () => {
  assertClose(softmaxOf([0, Math.log(3)]), [0.25, 0.75], 1e-12);
  assertClose(softmaxOf(Float32Array.of(2000, 2000, 1000)), [0.5, 0.5, 0], 1e-12);
  assertClose(softmaxOf([-2000, -2000]), [0.5, 0.5], 1e-12);
});

test("rows lie one after another, and of none there is nothing", () => {
  const { values, dim } = stackedRows([Float32Array.of(1, 2), Float32Array.of(3, 4), Float32Array.of(5, 6)]);
  assert.deepEqual([[...values], dim], [[1, 2, 3, 4, 5, 6], 2]);
  assert.deepEqual(stackedRows([]), { values: new Float32Array(0), dim: 0 });
});

test("distances are from the mean of all tokens, or from that of the token's own column", () => {
  const tokens = [0, 0, 6, 0, 0, 0, 3, 4, 6, 8, 9, 0]; // 2 rows of 3 tokens of 2 channels
  const mean = [24 / 6, 12 / 6];
  const from = (means: number[][]) =>
    means.map(([x, y], i) => Math.hypot(tokens[2 * i] - x, tokens[2 * i + 1] - y));
  assertClose(distancesFromMean(tokens, 2), from(Array(6).fill(mean)), 1e-12);
  const columns = [[1.5, 2], [6, 4], [4.5, 0]]; // biome-ignore format: one list
  assertClose(distancesFromMean(tokens, 2, { mean: "column", columns: 3 }), from([...columns, ...columns]), 1e-12); // biome-ignore format: one call
  const square = tokens.slice(0, 8);
  const own = [[0, 0], [4.5, 2], [0, 0], [4.5, 2]]; // biome-ignore format: one list
  assertClose(distancesFromMean(square, 2, { mean: "column" }), from(own), 1e-12);
  const map = magnitudeMap(tokens, 2);
  assert.deepEqual([map.length, Math.min(...map), Math.max(...map)], [6, 0, 1]);
  // The nearest of them, (3, 4), is √5 from (4, 2), the farthest √40 and the first √20.
  assertClose([map[0]], [(Math.sqrt(20) - Math.sqrt(5)) / (Math.sqrt(40) - Math.sqrt(5))], 1e-12);
});

test("phases are taken token by token", () => {
  const rows = [[1, 2, 3], [-3, 1, 0], [2, 2, -5]]; // biome-ignore format: a line each
  const all = rowPhases(rows.flat(), 3);
  for (const [i, row] of rows.entries()) assert.deepEqual(all.slice(3 * i, 3 * i + 3), rowPhases(row, 3));
  const map = frequencyMap(rows.flat(), 3);
  const distances = distancesFromMean(all, 3);
  const [low, high] = [Math.min(...distances), Math.max(...distances)];
  assertClose(map, distances.map((x) => (x - low) / (high - low)), 1e-12); // biome-ignore format: one call
});

test("what was looked at is told in a line", () => {
  const image = { values: new Float32Array(0), side: 4, grid: { rows: 2, columns: 3 } };
  const weights = Float32Array.from({ length: 2 * 2 * 6 }, (_, i) => i);
  const layer = { layer: "layers.1", heads: 2, weights };
  const looked = new AnswerAttention("what?", "ab", ["a", "b"], image, [layer]);
  assert.equal(String(looked), 'AnswerAttention("what?" "ab", 2 tokens: layers.1 (2 heads))');
  assert.deepEqual(looked.grid, { rows: 2, columns: 3 });
  assert.deepEqual([...looked.at(1, "layers.1", 0)], [12, 13, 14, 15, 16, 17]);
  assert.deepEqual([...looked.at(1, "layers.1")], [15, 16, 17, 18, 19, 20]);
  for (const [token, head] of [[2, 0], [-1, 0], [0, 2], [0, -1], [0.5, 0]]) // biome-ignore format: one list
    assert.throws(
      () => looked.at(token, "layers.1", head),
      isLuvitError("bad-argument", "AnswerAttention.at"),
    );
  const likelihood = Float32Array.of(0.1, 0.7, 0.5, 0.25, 0.25, 0.5);
  const said = new VisualTokens(["red", "blue"], image, [{ site: "embed", likelihood }]);
  assert.equal(String(said), "VisualTokens(2 answers, 2 × 3 patches at embed)");
  assert.deepEqual(said.at("embed", 1), { answer: "red", likelihood: 0.5 });
  assert.deepEqual([...said.of("embed", "blue")], [...Float32Array.of(0.7, 0.25, 0.5)]);
  const sample = { path: "a.png", label: 0, index: 0, image: new Float32Array(0) };
  const maps = new LensMaps(sample, 2, image.grid, [{ site: "embed", logits: weights, pooled: weights }], 0);
  assert.equal(String(maps), "LensMaps(a.png, 2 × 3 patches at embed)");
  const probes = new LensProbes(tinyClassifier(), new Map([["embed", { accuracy: null }], ["blocks.0.out", { accuracy: 12.34 }]]) as never); // biome-ignore format: one call
  assert.match(String(probes), /embed +–\nblocks\.0\.out +12\.3$/);
  assert.deepEqual(rowsOf(probes.table).map(({ accuracy }) => accuracy), [null, 12.34]); // biome-ignore format: one call
});

test("seeds pair by their numbers, and what is no claim is refused", () => {
  const of = (...pairs: [number, number][]) => new Map(pairs);
  const paired = pairedDifference(of([3, 5], [1, 2], [7, 9]), of([1, 1], [7, 7], [8, 0], [3, 2]), "higher");
  assert.deepEqual([paired.statistics!.n, paired.statistics!.mean], [3, 2]);
  assert.equal(pairedDifference(of([1, 2], [2, 3]), of([1, 1]), "higher").statistics, undefined);
  const { interval, halfWidth } = seedStatistics([3, 1, 2]);
  assertClose(paired.statistics!.interval, interval, 1e-12);
  assertClose([halfWidth], [9.92484320092 / Math.sqrt(3)], 1e-9);
  assert.throws(() => pairedDifference([] as never, of(), "higher"), isLuvitError("bad-argument", "Map"));
  assert.throws(() => pairedDifference(of(), {} as never, "higher"), isLuvitError("bad-argument", "Map"));
  assert.throws(() => pairedDifference(of(), of(), "more" as never), isLuvitError("bad-argument", "higher"));
  assert.throws(() => verdictOfAll([]), isLuvitError("bad-argument", "verdictOfAll"));
  assert.throws(() => verdictOfAll(["yes" as never]), isLuvitError("bad-argument", "supported"));
  assert.throws(() => new PairedDifference(undefined, "yes" as never), isLuvitError("bad-argument"));
});
