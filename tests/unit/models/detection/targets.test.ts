import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMask } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import { maskTarget, pasteMask, pasteMasks } from "../../../../src/models/detection/masks";
import { IGNORED } from "../../../../src/models/detection/matching";
import { poolBoxes } from "../../../../src/models/detection/pool";
import { binWeights, levelsOf, roiWeights } from "../../../../src/models/detection/roiWeights";
import { randomPermutations, sampleBoxes } from "../../../../src/models/detection/sampling";
import {
  drawRegions,
  drawRois,
  maskFeeds,
  mostObjects,
  regionFeeds,
  roiFeeds,
  roiRowFeeds,
} from "../../../../src/models/detection/targets";

const boxes = (...rows: number[][]) => Float32Array.from(rows.flat());
const close = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5) => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i] - value) <= tolerance, `${actual[i]} instead of ${value} at ${i}`);
};
const inOrder = (_: number, count: number) => Int32Array.from({ length: count }, (_, i) => i);
const square = (x: number, y: number, side: number) => [x, y, x + side, y, x + side, y + side, x, y + side];
const sampling = { thresholds: [0.3, 0.7], lowQuality: false, perImage: 4, objectShare: 0.5 } as const;

test("anchors are drawn with the object of each, and fed image after image, each with the same weight", () => {
  const anchors = boxes([0, 0, 4, 4], [20, 20, 24, 24], [8, 8, 12, 12], [40, 40, 44, 44], [8, 8, 12, 10]);
  const objects = [
    { boxes: boxes([8, 8, 12, 12], [0, 0, 4, 4]), classes: [1, 0] },
    { boxes: boxes(), classes: [] },
  ];
  const drawn = objects.map((one) => drawRegions(one, anchors, sampling, inOrder));
  assert.deepEqual([...drawn[0].objects], [0, 2]);
  assert.deepEqual([...drawn[0].background], [1, 3], "anchor 4 is between the thresholds");
  assert.deepEqual([...drawn[0].matched], [1, 0, 0, 0, 0]);
  assert.deepEqual([[...drawn[1].objects], [...drawn[1].background]], [[], [0, 1, 2, 3]]);
  const feeds = regionFeeds(drawn, objects, anchors, { ...sampling, weights: [1, 1, 1, 1] });
  assert.deepEqual([...feeds.places.data], [0, 2, 1, 3, 5, 6, 7, 8]);
  assert.deepEqual([...feeds.labels.data], [1, 1, 0, 0, 0, 0, 0, 0]);
  close(feeds.weights.data, new Array(8).fill(1 / 8));
  assert.deepEqual([...feeds.boxPlaces.data], [0, 2, 0, 0]);
  close(feeds.boxWeights.data, [1 / 8, 1 / 8, 0, 0]);
  assert.deepEqual(feeds.boxTargets.shape, [4, 4]);
  close(feeds.boxTargets.data, new Array(16).fill(0));
});

test("what an anchor is to be moved by is measured in its own size, with the settings' weights", () => {
  const anchors = boxes([0, 0, 4, 2]);
  const objects = [{ boxes: boxes([1, 1, 5, 3]), classes: [0] }];
  const drawn = [{ objects: Int32Array.of(0), background: Int32Array.of(), matched: Int32Array.of(0) }];
  const settings = { perImage: 2, objectShare: 0.5, weights: [10, 5, 2, 2] as const };
  const { boxTargets, weights, places } = regionFeeds(drawn, objects, anchors, settings);
  close(boxTargets.data, [2.5, 2.5, 0, 0]);
  close(weights.data, [0.5, 0], 0);
  assert.equal(places.data.length, 2);
  assert.equal(mostObjects({ perImage: 5, objectShare: 0.5 }), 2);
});

const settings = { perImage: 3, objectShare: 0.7, classes: 2, weights: [1, 1, 1, 1] as const };
const objects = [
  {
    boxes: boxes([0, 0, 4, 4], [10, 10, 14, 14]),
    classes: [1, 0],
    polygons: [[square(0, 0, 4)], [square(10, 10, 2)]],
  },
  { boxes: boxes([2, 2, 6, 6]), classes: [1] },
];

test("objects themselves are among the proposals; background is the class behind the last", () => {
  const proposals = boxes([30, 30, 34, 34], [10, 10, 14, 13]);
  const match = { ...sampling, thresholds: [0.5] as const, perImage: 4, objectShare: 0.75 };
  const drawn = drawRois(objects[0], proposals, 2, match, inOrder);
  assert.deepEqual([...drawn.boxes], [10, 10, 14, 13, 0, 0, 4, 4, 10, 10, 14, 14, 30, 30, 34, 34]);
  assert.deepEqual([drawn.objects, [...drawn.labels], [...drawn.matched]], [3, [0, 1, 0, 2], [1, 0, 1, 0]]);
});

const samples = [
  {
    boxes: boxes([10, 10, 14, 14], [0, 0, 4, 4], [30, 30, 34, 34]),
    objects: 2,
    matched: Int32Array.of(1, 0, 0),
    labels: Int32Array.of(0, 1, 2),
  },
  { boxes: boxes([2, 2, 6, 10]), objects: 1, matched: Int32Array.of(0), labels: Int32Array.of(1) },
];

test("the weight of a sample is its share of the batch, or of its image and that of the batch", () => {
  const of = (normalize: "image" | "batch") => roiFeeds(samples, objects, { ...settings, normalize });
  const batch = of("batch");
  const quarter = 1 / 4;
  assert.deepEqual(batch.classes.shape, [6, 3]);
  close(batch.classes.data, [quarter, 0, 0, 0, quarter, 0, 0, 0, quarter, 0, quarter, 0, 0, 0, 0, 0, 0, 0]);
  // A place is sample * classes + class; images begin at image * perImage.
  assert.deepEqual([...batch.boxPlaces.data], [0, 3, 7, 0]);
  close(batch.boxWeights.data, [quarter, quarter, quarter, 0]);
  close(batch.boxTargets.data.subarray(0, 8), new Array(8).fill(0));
  close(batch.boxTargets.data.subarray(8), [0, -0.25, 0, Math.log(0.5), 0, 0, 0, 0]);
  const [sixth, half] = [1 / 6, 1 / 2];
  close(of("image").classes.data, [sixth, 0, 0, 0, sixth, 0, 0, 0, sixth, 0, half, 0, 0, 0, 0, 0, 0, 0]);
  close(of("image").boxWeights.data, [sixth, sixth, half, 0]);
  const nothing = [
    { boxes: boxes(), objects: 0, matched: Int32Array.of(), labels: Int32Array.of() },
    samples[1],
  ];
  close(roiFeeds(nothing, objects, { ...settings, normalize: "image" }).boxWeights.data, [0, 0, half, 0]);
});

test("masks are drawn of samples with an object alone, each seen through its sample's box", () => {
  const side = 4;
  const feeds = maskFeeds(samples, objects, side, { ...settings, normalize: "batch" });
  assert.deepEqual([feeds.targets.shape, feeds.classes.data.length], [[4, 4, 4], 4]);
  assert.deepEqual([...feeds.classes.data], [0, 1, 1, 0]);
  close(
    feeds.weights.data,
    [1, 1, 1, 0].map((x) => x / 3 / 16),
  );
  const quarter = [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  assert.deepEqual([...feeds.targets.data.subarray(0, 16)], quarter, "half of the box along each axis");
  assert.deepEqual([...feeds.targets.data.subarray(16, 32)], new Array(16).fill(1));
  assert.deepEqual(
    [...feeds.targets.data.subarray(32)],
    new Array(32).fill(0),
    "an object without an outline",
  );
  const images = maskFeeds(samples, objects, side, { ...settings, normalize: "image" });
  close(
    images.weights.data,
    [1 / 4, 1 / 4, 1 / 2, 0].map((x) => x / 16),
  );
});

test("an outline is stretched along each axis by its own factor, and several polygons are one object", () => {
  const wide = maskTarget([[0, 0, 8, 0, 8, 1, 0, 1]], boxes([0, 0, 8, 2]), 2);
  assert.deepEqual([...wide], [1, 1, 0, 0]);
  const two = maskTarget([square(4, 6, 1), square(6, 8, 1)], boxes([4, 6, 7, 9]), 3);
  assert.deepEqual([...two], [1, 0, 0, 0, 0, 0, 0, 0, 1]);
  // A side below a tenth of a pixel counts as that: half of the polygon's width there is none of the box's.
  const thin = maskTarget([[0, 0, 0.05, 0, 0.05, 4, 0, 4]], boxes([0, 0, 0.05, 4]), 2);
  assert.deepEqual([...thin], [1, 0, 1, 0]);
});

test("a pixel is drawn where the mask, read between its cells, is at least the threshold", () => {
  // Along x the mask rises from 0 to 1: cells at pixels 1 and 3 of a box from 0 to 4.
  const mask = Float32Array.of(0, 1, 0, 1);
  const row = (threshold?: number) =>
    [...decodeMask(pasteMask(mask, boxes([0, 0, 4, 4]), { height: 4, width: 5 }, threshold))].slice(5, 10);
  // Centers at 0.5 … 4.5 see cells -0.25, 0.25, 0.75, 1.25: shares 0, 0.25, 0.75 and 0.75 where it fades; half a row down.
  assert.deepEqual(row(0.25), [0, 1, 1, 1, 1]);
  assert.deepEqual(row(), [0, 0, 1, 1, 0]);
  assert.deepEqual(row(0.8), [0, 0, 0, 0, 0]);
  const image = { height: 4, width: 5 };
  const masks = new Float32Array([...mask, 1, 1, 1, 1]);
  const both = boxes([0, 0, 4, 4], [1, 1, 3, 3]);
  for (const threshold of [0.25, 0.5, 0.8]) {
    const drawn = pasteMasks(masks, both, image, threshold);
    assert.deepEqual(drawn[0], pasteMask(mask, both.slice(0, 4), image, threshold));
    assert.deepEqual(drawn[1], pasteMask(masks.slice(4), both.slice(4), image, threshold));
  }
  assert.deepEqual(pasteMasks(masks, both, image)[0], pasteMask(mask, both.slice(0, 4), image, 0.5));
  assert.deepEqual(pasteMasks(new Float32Array(0), boxes(), image), []);
});

test("ROIAlign samples as often as a bin is long, between cells, and counts what lies outside as nothing", () => {
  const rows = (from: number, to: number, bins: number, length: number) => {
    const weights = new Float32Array(bins * length).fill(9);
    binWeights(from, to, bins, length, weights);
    return [...weights];
  };
  // From 0.5 to 4.5: places 0 to 4, two bins with samples at 0.5, 1.5 and 2.5, 3.5.
  close(rows(0.5, 4.5, 2, 5), [0.25, 0.5, 0.25, 0, 0, 0, 0, 0.25, 0.5, 0.25]);
  // A bin of one and a half places takes two samples, at 0.375 and 1.125.
  close(rows(0.5, 2, 1, 3), [0.3125, 0.625, 0.0625]);
  // Places between -1 and 0 are the first cell's, those beyond the last are the last cell's, further ones nobody's.
  close(rows(-0.5, 0.5, 1, 2), [1, 0]);
  close(rows(-3, -2, 1, 2), [0, 0]);
  close(rows(2, 3, 1, 2), [0, 1]);
  close(rows(3, 4, 1, 2), [0, 0]);
});

test("each box has weights on the map of its own level alone, in cells of that map; what fills up has none", () => {
  const maps = [
    { level: 2, stride: 4, height: 3, width: 2 },
    { level: 3, stride: 8, height: 2, width: 1 },
  ];
  const all = boxes([0, 0, 8, 4], [0, 0, 8, 16]);
  const [fine, coarse] = roiWeights(all, Int32Array.of(2, 3), maps, 1, 3);
  assert.deepEqual([fine.y.length, fine.x.length, coarse.y.length, coarse.x.length], [9, 6, 6, 3]);
  const weights = (from: number, to: number, length: number) => {
    const row = new Float32Array(length);
    binWeights(from, to, 1, length, row);
    return [...row];
  };
  close(fine.y, [...weights(0, 1, 3), 0, 0, 0, 0, 0, 0]);
  close(fine.x, [...weights(0, 2, 2), 0, 0, 0, 0]);
  close(coarse.y, [0, 0, ...weights(0, 2, 2), 0, 0]);
  close(coarse.x, [0, ...weights(0, 1, 1), 0]);
  assert.equal(roiWeights(all, Int32Array.of(2, 3), maps, 1)[0].y.length, 6, "as many as there are boxes");
  const settings = { canonicalSize: 8, canonicalLevel: 2, lowest: 2, highest: 3, bins: 1, capacity: 3 };
  assert.deepEqual([...levelsOf(boxes([0, 0, 8, 4], [0, 0, 16, 16]), settings)], [2, 3]);
  const feeds = roiRowFeeds([all, boxes([0, 0, 16, 16])], maps, settings);
  assert.deepEqual(Object.keys(feeds).sort(), ["x2", "x3", "y2", "y3"]);
  assert.deepEqual(
    [feeds.y2.shape, feeds.x3.shape],
    [
      [2, 3, 1, 3],
      [2, 3, 1, 1],
    ],
  );
  close(feeds.y3.data.subarray(6), [...weights(0, 2, 2), 0, 0, 0, 0]);
});

test("pooling looks at the map of a box's own level", () => {
  const map = (level: number, stride: number, value: number) => ({
    ...{ level, stride, height: 2, width: 2 },
    data: new Float32Array(4).fill(value),
  });
  const pooled = poolBoxes(
    [map(2, 4, 1), map(3, 8, 5)],
    boxes([0, 0, 8, 8], [0, 0, 8, 8]),
    Int32Array.of(3, 2),
    1,
  );
  assert.deepEqual([...pooled], [5, 1]);
});

test("ignored boxes are never drawn, and none is drawn twice", () => {
  const labels = new Int32Array(20).fill(IGNORED);
  labels[7] = 0;
  const { objects: none, background } = sampleBoxes(
    labels,
    { perImage: 8, objectShare: 0.5 },
    randomPermutations(new Rng(1)),
  );
  assert.deepEqual([[...none], [...background]], [[], [7]]);
});
