import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { Table } from "apache-arrow";
import { columnsOf, tableOf, vectorsOf } from "../../../src/analysis/columns";
import {
  backgroundShare,
  meanOverHeads,
  patchEntropy,
  regionMeans,
  rowEntropy,
} from "../../../src/analysis/entropy";
import { batchLength } from "../../../src/analysis/forwardBatches";
import { FourierTransform, rowPhases } from "../../../src/analysis/fourier";
import { describeMissing, describeUnreadable } from "../../../src/analysis/gatherRows";
import { signalToNoise, signalToNoiseOf } from "../../../src/analysis/gsnr";
import { gapsIn, joined, keepRange, keptRanges, piecesOf } from "../../../src/analysis/keptRanges";
import { PairedDifference, pairedDifference, verdictOfAll } from "../../../src/analysis/pairedSeeds";
import { rowsOf } from "../../../src/analysis/provenance";
import {
  classAttentionMap,
  distancesFromMean,
  frequencyMap,
  magnitudeMap,
  pseudoMaskOverlap,
  pseudoMaskThresholds,
} from "../../../src/analysis/pseudoMasks";
import { quantizeRows, rowWeights } from "../../../src/analysis/quantizedRows";
import { rolloutThrough } from "../../../src/analysis/rollout";
import { softmaxOf } from "../../../src/analysis/softmax";
import { stackedRows } from "../../../src/analysis/stackedRows";
import { meanWithInterval, seedStatistics, studentQuantile } from "../../../src/analysis/statistics";
import { windowLength } from "../../../src/analysis/wholeBatches";
import { startBackend, tf } from "../../../src/core/tf";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

before(() => startBackend({ backend: "wasm" }));

const wave = (length: number, step = 0.7) =>
  Array.from({ length }, (_, i) => Number((Math.sin(step * i) + i / 7).toFixed(3)));

test("statistics over seeds, and what they say of claims, are approved", async () => {
  const calls = new Calls();
  for (const values of [
    [72.5, 73.25, 71],
    [3, 5],
    [4],
    [],
    [1, Number.NaN],
    [1, Number.POSITIVE_INFINITY],
    [2, 2, 2, 2],
    wave(31),
  ]) {
    await calls.of(seedStatistics, values);
    await calls.of(meanWithInterval, values);
  }
  await calls.of(seedStatistics, [72.5, 73.25, 71], 0.5);
  for (const confidence of [0, 1, -1, Number.NaN, 1.5, 0.999])
    await calls.of(seedStatistics, [1, 2, 4], confidence);
  for (const wrong of [undefined, "12", { length: 2 }, new Float32Array([1, 2]), ["1", 2]])
    await calls.of(seedStatistics, wrong);
  for (const degrees of [1, 2, 3, 4, 5, 10, 29, 120])
    for (const confidence of [0.5, 0.95, 0.99]) await calls.of(studentQuantile, confidence, degrees);
  const [a, b] = [
    new Map([
      [0, 81.25],
      [1, 80.5],
      [2, 82],
      [7, 0],
    ]),
    new Map([
      [2, 80.75],
      [0, 80.125],
      [1, 79.25],
      [9, 99],
    ]),
  ];
  for (const claimed of ["higher", "lower", "other", undefined]) {
    await calls.of(pairedDifference, a, b, claimed);
    await calls.of(pairedDifference, b, a, claimed);
  }
  await calls.of(
    pairedDifference,
    new Map([
      [0, 1],
      [1, -1],
    ]),
    new Map([
      [0, 0],
      [1, 0],
    ]),
    "lower",
  );
  await calls.of(
    pairedDifference,
    new Map([
      [0, 1],
      [3, -1],
    ]),
    new Map([
      [0, 0],
      [1, 0],
    ]),
    "lower",
  );
  await calls.of(
    pairedDifference,
    new Map([
      [0, 1],
      [1, 2],
    ]),
    new Map([
      [0, 0],
      [1, 1],
    ]),
    "higher",
  );
  await calls.of(
    pairedDifference,
    new Map([
      [0, 1],
      [1, 2],
    ]),
    new Map([
      [0, 1],
      [1, 2],
    ]),
    "higher",
  );
  await calls.of(pairedDifference, {}, b, "lower");
  await calls.of(pairedDifference, a, [[0, 1]], "lower");
  for (const [one, other] of [
    [a, b],
    [b, a],
    [new Map(), b],
  ])
    await calls.does("String", () => [
      String(pairedDifference(one, other, "higher")),
      inspect(pairedDifference(one, other, "lower")),
    ]);
  await calls.does("no verdict", () => new PairedDifference(undefined, "so" as never));
  const verdicts = ["supported", "not seen", "against"];
  for (const one of verdicts) for (const other of verdicts) await calls.of(verdictOfAll, [one, other]);
  for (const found of [
    ["supported"],
    ["against", "not seen", "supported"],
    [],
    ["yes"],
    undefined,
    ["supported", "supported", "not seen"],
  ])
    await calls.of(verdictOfAll, found);
  calls.approve("analysis/statistics");
});

test("numbers of patterns, tokens and masks are approved", async () => {
  const calls = new Calls();
  const pattern = (...shape: number[]) => {
    const size = shape.reduce((x, y) => x * y, 1);
    return tf.softmax(
      tf.tensor(
        Array.from({ length: size }, (_, i) => 3 * Math.sin(1.7 * i)),
        shape,
      ),
    );
  };
  const rowEntropies = (...given: [tf.Tensor]) => tf.tidy(() => rowEntropy(...given));
  const patchEntropies = (...given: [tf.Tensor]) => tf.tidy(() => patchEntropy(...given));
  const rolledOut = (...given: [tf.Tensor]) => tf.tidy(() => rolloutThrough(...given));
  for (const shape of [
    [2, 3, 4, 4],
    [1, 1, 2, 5],
  ]) {
    await calls.of(rowEntropies, pattern(...shape));
    await calls.of(patchEntropies, pattern(...shape));
  }
  await calls.of(
    rowEntropies,
    tf.tensor([
      [1, 0, 0],
      [1 / 3, 1 / 3, 1 / 3],
    ]),
  );
  await calls.of(rowEntropy, [[1, 0]]);
  await calls.of(rolledOut, pattern(2, 3, 4, 4));
  await calls.of(rolledOut, pattern(2, 1, 3, 3), pattern(2, 3, 3));
  await calls.of(rolloutThrough, 3);
  await calls.of(meanOverHeads, [1, 2, 3, 40, 50, 60], 2);
  await calls.of(meanOverHeads, [1, 2, 3, 40, 50, 60], 3);
  await calls.of(regionMeans, [1, 2, 4, 8], [0, 1, 1, 0]);
  await calls.of(regionMeans, [1, 2, 4, 8], [0, 1, 1, 0], [1, 0, 1, 1]);
  await calls.of(regionMeans, [1, 2, 4, 8], [1, 1, 1, 1]);
  await calls.of(regionMeans, [1, 2], [1, 0], [0, 0]);
  await calls.of(regionMeans, [], []);
  const region = (foreground: number | null, background: number | null) => ({ foreground, background });
  await calls.of(backgroundShare, [
    region(1, 2),
    region(2, 2),
    region(3, 2),
    region(null, 1),
    region(1, null),
    region(1, 1.5),
  ]);
  await calls.of(backgroundShare, []);
  await calls.of(backgroundShare, [region(null, null)]);
  for (const length of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 30]) {
    const transform = new FourierTransform(length);
    await calls.does(`transform of ${length}`, () => {
      transform.run(wave(length));
      return [transform.real, transform.imaginary];
    });
  }
  await calls.of(rowPhases, wave(12), 4);
  await calls.of(rowPhases, wave(18), 6);
  await calls.of(rowPhases, [-1, 1, -2, 2, 0, 0], 2);
  await calls.of(signalToNoise, [1, 2, 0, -3], [4, 0, 0, 2]);
  await calls.of(signalToNoiseOf, wave(12), 3);
  await calls.of(signalToNoiseOf, wave(12), 4, "biased");
  await calls.of(signalToNoiseOf, wave(12), 4, "unbiased");
  for (const options of [
    undefined,
    { mean: "all" },
    { mean: "column" },
    { mean: "column", columns: 2 },
    { mean: "column", columns: 3 },
    { mean: "column", columns: 4 },
    { columns: 4 },
  ]) {
    for (const of of [magnitudeMap, frequencyMap, distancesFromMean]) {
      await calls.of(of, wave(30), 5, options);
      await calls.of(of, wave(27, 1.3), 3, options);
    }
  }
  for (const channels of [0, 4, 7]) await calls.of(distancesFromMean, wave(30), channels);
  await calls.of(magnitudeMap, [2, 2, 2, 2], 2);
  await calls.of(classAttentionMap, wave(18), 2);
  await calls.of(classAttentionMap, wave(16), 1);
  for (const heads of [0, -1, 1.5, Number.NaN, "2"]) await calls.of(classAttentionMap, wave(16), heads);
  await calls.of(classAttentionMap, 3, 1);
  calls.note("thresholds", pseudoMaskThresholds);
  for (const threshold of [-1, 0, 0.5, 0.51, 1]) {
    await calls.of(pseudoMaskOverlap, [0, 0.5, 0.75, 1, 0.2], threshold, [0, 1, 0, 1, 1]);
    await calls.of(pseudoMaskOverlap, [0, 0.5, 0.75, 1, 0.2], threshold, [0, 1, 0, 1, 1], [1, 0, 1, 1, 0]);
  }
  await calls.of(pseudoMaskOverlap, [0, 0], 0.5, [0, 0]);
  await calls.of(pseudoMaskOverlap, undefined, 0.5, [0, 0]);
  await calls.of(pseudoMaskOverlap, [0, 1], 0.5, "no");
  await calls.of(quantizeRows, Float32Array.of(0.1, 0.6, 0.3, 0, 0, 0, 0.25, 0.25, 0.5), 3);
  await calls.of(quantizeRows, Float32Array.of(0.1, 0.6, 0.3, 0), 3);
  await calls.of(quantizeRows, new Float32Array(), 3);
  const rows = quantizeRows(Float32Array.of(0.1, 0.6, 0.3, 0, 0, 0, 0.25, 0.25, 0.5), 3);
  for (const row of [0, 1, 2]) await calls.of(rowWeights, rows, row);
  await calls.of(rowWeights, { levels: rows.levels }, 0);
  for (const logits of [[1, 2, 3.5], [1000, 999], [-1000, -1000], [7]]) await calls.of(softmaxOf, logits);
  await calls.of(softmaxOf, Float32Array.of(0.5, -2, 4));
  await calls.of(stackedRows, [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)]);
  await calls.of(stackedRows, []);
  calls.approve("analysis/numbers");
});

test("ranges that are kept, and what is said of them, are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const [full, ranges] = [
    { start: 3, end: 20 },
    [
      { start: 12, end: 15 },
      { start: 0, end: 5 },
      { start: 4, end: 7 },
      { start: 15, end: 16 },
    ],
  ];
  await calls.of(gapsIn, full, ranges);
  await calls.of(gapsIn, full, []);
  await calls.of(gapsIn, full, [{ start: 20, end: 30 }]);
  await calls.of(gapsIn, full, [
    { start: 19, end: 30 },
    { start: 0, end: 3 },
  ]);
  await calls.of(gapsIn, full, [{ start: 0, end: 100 }]);
  await calls.of(gapsIn, full, [
    { start: 3, end: 12 },
    { start: 4, end: 6 },
  ]);
  await calls.of(gapsIn, { start: 4, end: 4 }, ranges);
  await calls.of(joined, [
    { start: 0, end: 2 },
    { start: 2, end: 5 },
    { start: 6, end: 7 },
    { start: 7, end: 9 },
  ]);
  await calls.of(joined, []);
  for (const length of [1, 4, 5, 17, 100]) await calls.of(piecesOf, full, length);
  await calls.of(piecesOf, { start: 5, end: 5 }, 3);
  const kept = join(folder, "kept");
  await calls.of(keptRanges, kept);
  const table = tableOf({ index: [3, 4], image: ["a.png", "b ü.png"], value: [0.5, null] });
  for (const range of [
    { start: 12, end: 15 },
    { start: 3, end: 9 },
    { start: 3, end: 5 },
    { start: 0, end: 1234567 },
  ])
    await calls.of(keepRange, kept, range, new Table());
  await calls.once("kept with rows", () => keepRange(kept, { start: 5, end: 7 }, table));
  for (const name of [
    "1-2.arrow",
    "000001-000002.arrow.tmp",
    "x000001-000002.arrow",
    "000001-000002.txt",
    "000001_000002.arrow",
  ])
    writeFileSync(join(kept, name), "");
  mkdirSync(join(kept, "folder"));
  calls.note("names", readdirSync(kept).sort());
  await calls.of(keptRanges, kept);
  await calls.of(rowsOf, table);
  await calls.does("columnsOf", () =>
    columnsOf(
      [
        { a: 1, b: "x", c: 0 },
        { a: 2, b: "y", c: 9 },
      ],
      ["b", "a"],
    ),
  );
  await calls.does("vectorsOf", () =>
    Object.entries(vectorsOf({ a: [1.5, null], b: [null, "t"], c: [null, null] })).map(
      ([name, vector]) => `${name} ${vector.type} ${[...vector]}`,
    ),
  );
  for (const count of [0, 1, 2, 13]) await calls.of(describeUnreadable, count);
  await calls.of(describeMissing, full);
  for (const count of [1, 2, 16]) await calls.of(windowLength, count);
  for (const count of [1, 5, 16]) await calls.of(batchLength, count, { length: 5 });
  calls.approve("analysis/ranges");
});
