import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import {
  allAnchors,
  anchorsOf,
  anchorsPerPlace,
  cellAnchors,
} from "../../../../src/models/detection/anchors";
import {
  boxAreas,
  boxAt,
  clipBoxes,
  countOf,
  expectBoxes,
  isFiniteBox,
  isLarger,
  joinBoxes,
  overlap,
  takeBoxes,
} from "../../../../src/models/detection/boxes";
import { decodeBoxes, encodeBoxes, MOST_GROWTH } from "../../../../src/models/detection/codec";
import { boxOf, findDetections, rescaleBoxes } from "../../../../src/models/detection/detections";
import { maskTarget, pasteMask, pasteMasks } from "../../../../src/models/detection/masks";
import { BACKGROUND, IGNORED, matchBoxes, OBJECT } from "../../../../src/models/detection/matching";
import { poolBoxes } from "../../../../src/models/detection/pool";
import { findProposals } from "../../../../src/models/detection/proposals";
import { binWeights, levelsOf, roiWeights } from "../../../../src/models/detection/roiWeights";
import { randomPermutations, sampleBoxes } from "../../../../src/models/detection/sampling";
import { bestOf, byScore, suppress } from "../../../../src/models/detection/suppress";
import {
  drawRegions,
  drawRois,
  maskFeeds,
  mostObjects,
  regionFeeds,
  roiFeeds,
  roiRowFeeds,
} from "../../../../src/models/detection/targets";
import { Calls } from "../../../support/calls";

const f = (...numbers: number[]) => Float32Array.from(numbers);
const i = (...numbers: number[]) => Int32Array.from(numbers);
/** Numbers that differ, some negative. */
const wave = (length: number, scale = 1) =>
  Float32Array.from({ length }, (_, k) => scale * Math.sin(1.7 * k + 0.3));
const three = f(1, 2, 11, 7, 3, 4, 5, 20, -2, -3, 30, 40);
const others = f(2, 2, 12, 8, 3, 5, 5, 20, 50, 50, 60, 61, 1, 2, 11, 7);
const image = { height: 25, width: 18 };

test("what boxes, anchors and codes of boxes come to is approved", async () => {
  const calls = new Calls();
  calls.title("boxes");
  for (const boxes of [three, f(), f(1, 2, 3, 4)]) {
    await calls.of(countOf, boxes);
    await calls.of(boxAreas, boxes);
  }
  await calls.of(boxAreas, f(5, 5, 3, 9, 2, 2, 2, 2, 0.1, 0.2, 0.30001, 0.7));
  await calls.of(boxAt, three, 0);
  await calls.of(boxAt, three, 2);
  await calls.of(takeBoxes, three, [2, 0, 0]);
  await calls.of(takeBoxes, three, i());
  await calls.of(joinBoxes, three, f(), f(9, 8, 7, 6));
  await calls.of(joinBoxes);
  const [a, b] = [boxAreas(three), boxAreas(others)];
  for (const [p, q] of [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 3],
    [2, 0],
    [0, 3],
  ])
    await calls.of(overlap, three, p, a[p], others, q, b[q]);
  await calls.of(overlap, f(0, 0, 2, 2), 0, 4, f(2, 0, 4, 2), 0, 4);
  await calls.of(overlap, f(0, 0, 2, 2), 0, 4, f(0, 2, 4, 4), 0, 8);
  await calls.of(overlap, f(0, 0, 2, 2), 0, 4, f(1.5, 1.25, 4, 4), 0, 6.875);
  await calls.of(overlap, f(0, 0, Number.NaN, 2), 0, 4, f(0, 0, 4, 4), 0, 16);
  await calls.does("clipBoxes", () => clipBoxes(three.slice(), image));
  await calls.does("clipBoxes in place", () => {
    const own = f(-1, -2, 100, 200);
    return clipBoxes(own, image) === own;
  });
  for (const least of [undefined, 0, 3.9, 4, 5, 9.5, 10]) await calls.of(isLarger, three, 0, least);
  for (const box of [f(1, 1, 1, 5), f(1, 1, 5, 1), f(1, 1, 1.5, 1.5), f(3, 3, 1, 9)])
    await calls.of(isLarger, box, 0);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30]) {
    await calls.of(isFiniteBox, f(1, 2, 3, 4, 1, 2, bad, 4), 0);
    await calls.of(isFiniteBox, f(1, 2, 3, 4, 1, 2, bad, 4), 1);
  }
  for (const length of [0, 3, 4, 5, 8]) await calls.of(expectBoxes, "boxes given", new Float32Array(length));

  calls.title("anchors");
  await calls.of(cellAnchors, [32], [0.5, 1, 2]);
  await calls.of(cellAnchors, [10, 30], [3]);
  const settings = {
    strides: [4, 8],
    sizes: [
      [8, 12],
      [20, 30],
    ],
    ratios: [0.5, 1, 2],
    offset: 0,
  };
  await calls.of(anchorsPerPlace, settings);
  await calls.of(anchorsPerPlace, { ...settings, sizes: [[8], [9]], ratios: [1, 4] });
  const maps = [
    { height: 3, width: 2 },
    { height: 1, width: 4 },
  ];
  await calls.of(anchorsOf, settings, maps);
  await calls.of(anchorsOf, { ...settings, offset: 0.5, ratios: [0.25] }, maps);
  await calls.of(allAnchors, { ...settings, ratios: [1] }, maps);

  calls.title("codec");
  calls.note("MOST_GROWTH", MOST_GROWTH);
  await calls.of(encodeBoxes, three, others.subarray(0, 12), [1, 1, 1, 1]);
  await calls.of(encodeBoxes, three, others.subarray(4), [10, 9, 5, 4]);
  await calls.of(encodeBoxes, f(), f(), [1, 1, 1, 1]);
  await calls.of(decodeBoxes, three, wave(12), [1, 1, 1, 1]);
  await calls.of(decodeBoxes, three, wave(24, 2), [10, 9, 5, 4]);
  await calls.of(decodeBoxes, f(1, 2, 11, 7), f(0, 0, 9, 100, 0, 0, -50, 4.1), [1, 1, 1, 1]);
  await calls.of(decodeBoxes, f(1, 2, 11, 7), f(0.1, 0.2, 9, 0.4), [1, 1, 1, 1], 0.5);
  await calls.does("back", () =>
    decodeBoxes(three, encodeBoxes(three, others.subarray(0, 12), [10, 9, 5, 4]), [10, 9, 5, 4]),
  );
  calls.approve("models/detection/boxes");
});

test("what matching, sampling, suppression and detections come to is approved", async () => {
  const calls = new Calls();
  calls.title("matching");
  calls.note("labels", { BACKGROUND, IGNORED, OBJECT });
  const objects = f(0, 0, 10, 10, 20, 20, 30, 40);
  const boxes = f(
    0,
    0,
    10,
    10,
    0,
    0,
    10,
    20,
    0,
    0,
    10,
    33,
    5,
    5,
    15,
    15,
    20,
    20,
    30,
    26,
    20,
    20,
    30,
    26,
    50,
    50,
    60,
    60,
  );
  for (const lowQuality of [false, true])
    for (const thresholds of [[0.5], [0.3, 0.7], [0.3, 0.5]] as [number][])
      await calls.of(matchBoxes, objects, boxes, { thresholds, lowQuality });
  await calls.of(matchBoxes, f(), boxes, { thresholds: [0.5], lowQuality: true });
  await calls.of(matchBoxes, objects, f(), { thresholds: [0.5], lowQuality: true });
  await calls.of(matchBoxes, f(0, 0, 1, 1, 0, 0, 1, 1), f(0, 0, 1, 1, 7, 7, 8, 8), {
    thresholds: [0.1],
    lowQuality: true,
  });
  await calls.of(matchBoxes, objects, f(0, 0, 10, 20), { thresholds: [0.1 * 3, 0.5], lowQuality: false });

  calls.title("sampling");
  for (const [length, count] of [
    [7, 3],
    [7, 7],
    [1, 1],
    [0, 0],
    [9, 0],
  ])
    await calls.does(`randomPermutations(${length}, ${count})`, () =>
      Array.from(randomPermutations(new Rng(5))(length, count)),
    );
  await calls.does("two permutations of one stream", () => {
    const permute = randomPermutations(new Rng(6));
    return [Array.from(permute(6, 4)), Array.from(permute(6, 4))];
  });
  const labels = i(1, 0, -1, 1, 0, 1, 0, 0, -1, 1);
  const last = (length: number, count: number) => Array.from({ length: count }, (_, k) => length - 1 - k);
  for (const [perImage, objectShare] of [
    [4, 0.5],
    [4, 0.25],
    [5, 0.5],
    [20, 0.5],
    [3, 1],
    [1, 0.5],
    [6, 0.9],
  ])
    await calls.of(sampleBoxes, labels, { perImage, objectShare }, last);
  await calls.of(sampleBoxes, i(0, 0, -1), { perImage: 2, objectShare: 0.5 }, last);
  await calls.of(sampleBoxes, i(1, 1), { perImage: 8, objectShare: 0.25 }, last);
  await calls.of(sampleBoxes, i(), { perImage: 8, objectShare: 0.25 }, last);
  await calls.does("sampleBoxes, asked for", () => {
    const asked: number[][] = [];
    sampleBoxes(labels, { perImage: 5, objectShare: 0.5 }, (length, count) => {
      asked.push([length, count]);
      return last(length, count);
    });
    return asked;
  });

  calls.title("suppression");
  const scores = f(0.5, Number.NaN, 0.9, 0.5, -1, 0.9, 0);
  await calls.of(byScore, scores, [0, 1, 2, 3, 4, 5, 6]);
  await calls.of(byScore, scores, i(6, 3, 0));
  await calls.of(byScore, scores, []);
  for (const [start, end, count] of [
    [0, 7, 3],
    [0, 7, 7],
    [0, 7, 100],
    [2, 6, 2],
    [2, 6, 1],
    [3, 3, 1],
    [0, 7, 1],
  ])
    await calls.of(bestOf, scores, start, end, count);
  const crowd = f(0, 0, 10, 10, 0, 0, 10, 9, 0, 0, 10, 5, 20, 0, 30, 10, 21, 0, 30, 10, 0, 0, 0, 0);
  for (const threshold of [0.4, 0.5, 0.9, 0.95, 0, 1])
    await calls.of(suppress, crowd, [1, 0, 2, 4, 3, 5], threshold);
  await calls.of(suppress, crowd, [0, 1, 2, 3, 4, 5], 0.7, 2);
  await calls.of(suppress, crowd, [0, 1, 2, 3, 4, 5], 0.7, 0);
  await calls.of(suppress, crowd, [], 0.7);

  calls.title("detections");
  const found = f(
    ...[0, 0, 10, 10, 0, 0, 10, 9, 2, 2, 4, 4],
    ...[0, 0, 10, 9.5, 1, 0, 10, 10, -5, -5, 4, 4],
    ...[11, 12, 40, 50, 1, 0, Number.NaN, 10, 2, 2, 4, 4],
    ...[11, 12, 40, 50, 1, 0, 9, 10, 2, 2, 4, 4],
  );
  const probabilities = f(0.6, 0.2, 0.1, 0.1, 0.7, 0.25, 0.05, 0, 0.9, 0.9, 0.9, 0.9, 0.02, 0.05, 0.5, 0.43);
  const usual = { scoreThreshold: 0.05, threshold: 0.5, perImage: 100 };
  for (const more of [
    {},
    { scoreThreshold: 0.1 },
    { scoreThreshold: 0.2 },
    { threshold: 0.96 },
    { perImage: 2 },
    { perImage: 1 },
  ])
    await calls.of(findDetections, found, probabilities, 3, image, { ...usual, ...more });
  await calls.of(findDetections, f(), f(), 3, image, usual);
  await calls.of(
    findDetections,
    found.map((x) => (Number.isNaN(x) ? 6 : x)),
    probabilities,
    3,
    image,
    usual,
  );
  await calls.of(
    findDetections,
    found.subarray(0, 12),
    f(0.6, 0.2, Number.POSITIVE_INFINITY, 0.1),
    3,
    image,
    usual,
  );
  await calls.of(rescaleBoxes, three, { height: 40, width: 20 }, { height: 20, width: 60 });
  await calls.of(
    rescaleBoxes,
    f(-9, 1, -3, 5, 1, 1, 2, 2),
    { height: 40, width: 20 },
    { height: 40, width: 20 },
  );
  await calls.does("boxOf", () => boxOf(findDetections(found, probabilities, 3, image, usual), 1));

  calls.title("proposals");
  const levels = [three, others];
  const output = { logits: wave(7, 3), deltas: wave(28, 0.2) };
  const how = { perLevel: 10, perImage: 10, threshold: 0.7, weights: [1, 1, 1, 1] as const };
  for (const more of [
    {},
    { perLevel: 2 },
    { perLevel: 1 },
    { perImage: 3 },
    { threshold: 0.3 },
    { threshold: 0.05 },
    { weights: [2, 3, 4, 5] as const },
    { mostGrowth: 0.01 },
    { leastSize: 3 },
    { leastSize: 15 },
  ])
    for (const training of [false, true])
      await calls.of(findProposals, output, levels, image, { ...how, ...more }, training);
  const broken = { logits: output.logits.slice(), deltas: output.deltas.slice() };
  broken.logits[1] = Number.POSITIVE_INFINITY;
  broken.deltas[16] = Number.NaN;
  for (const training of [false, true]) await calls.of(findProposals, broken, levels, image, how, training);
  calls.approve("models/detection/found");
});

test("what levels, rows of pooling and masks come to is approved", async () => {
  const calls = new Calls();
  calls.title("levels");
  const usual = { canonicalSize: 224, canonicalLevel: 4, lowest: 2, highest: 5 };
  const square = (side: number) => [0, 0, side, side];
  const sides = f(...[1, 27, 55, 56, 57, 111, 112, 113, 223, 224, 447, 448, 449, 1000, 0].flatMap(square));
  await calls.of(levelsOf, sides, usual);
  await calls.of(levelsOf, sides, { ...usual, canonicalSize: 64 });
  await calls.of(levelsOf, sides, { ...usual, canonicalLevel: 3, lowest: 1, highest: 6 });
  await calls.of(levelsOf, f(0, 0, 448, 112, 0, 0, 448, 120), usual);

  calls.title("rows of ROIAlign");
  for (const [from, to, bins, length] of [
    [0.7, 5.2, 3, 6],
    [-3, 9, 2, 6],
    [2, 2.5, 2, 4],
    [0, 6, 6, 6],
    [4.5, 5.9, 2, 6],
    [7, 9, 2, 6],
    [-9, -4, 2, 6],
    [3, 3, 2, 4],
    [3, 2, 2, 4],
    [-0.6, 1, 3, 4],
    [5.4, 7.5, 3, 6],
  ])
    await calls.does(`binWeights ${from} to ${to}, ${bins} of ${length}`, () => {
      const rows = new Float32Array(bins * length).fill(9);
      binWeights(from, to, bins, length, rows);
      return rows;
    });
  const maps = [
    { level: 2, stride: 4, height: 5, width: 7 },
    { level: 3, stride: 8, height: 3, width: 4 },
  ];
  const boxes = f(1, 2, 20, 15, 3, 3, 25, 17, 4, 0, 9, 19);
  await calls.of(roiWeights, boxes, i(2, 3, 2), maps, 2);
  await calls.of(roiWeights, boxes, i(2, 3, 2), maps, 2, 5);
  await calls.of(roiWeights, boxes, i(3, 3, 3), maps, 3);
  await calls.of(roiWeights, f(), i(), maps, 3, 1);
  const hosts = maps.map((map, k) => ({ ...map, data: wave(map.height * map.width * 2, k + 1) }));
  await calls.of(poolBoxes, hosts, boxes, i(2, 3, 2), 2);
  await calls.of(poolBoxes, hosts, boxes, i(2, 3, 2), 3, 4);
  await calls.of(poolBoxes, hosts, f(200, 200, 300, 300, 1, 2, 20, 15), i(2, 2), 2);
  await calls.of(poolBoxes, hosts, f(0, 100, 12, 160), i(2), 2);
  await calls.of(poolBoxes, hosts, f(), i(), 2, 1);
  await calls.of(
    poolBoxes,
    [{ level: 4, stride: 16, height: 2, width: 3, data: wave(6) }],
    f(5, 6, 40, 30),
    i(4),
    3,
  );

  calls.title("masks");
  const triangle = [2, 2, 14, 3, 8, 12];
  const outline = [triangle, [4, 4, 6, 4, 6, 6, 4, 6]];
  for (const side of [4, 7]) await calls.of(maskTarget, outline, f(1, 1, 15, 13), side);
  await calls.of(maskTarget, outline, f(6, 2, 12, 13), 5);
  await calls.of(maskTarget, outline, f(6, 2, 6.05, 13), 5);
  await calls.of(maskTarget, outline, f(6, 5, 16, 5), 5);
  const soft = Float32Array.from({ length: 16 }, (_, k) => 0.5 + 0.5 * Math.sin(k));
  for (const threshold of [undefined, 0.5, 0.2, 0.9, 0, 1])
    await calls.of(pasteMask, soft, f(1.5, 2, 9, 6.5), { height: 9, width: 12 }, threshold);
  await calls.of(pasteMask, soft, f(-4, -3, 30, 20), { height: 9, width: 12 });
  await calls.of(pasteMask, soft, f(8, 7, 30, 20), { height: 9, width: 12 });
  await calls.of(pasteMask, soft, f(20, 20, 30, 30), { height: 9, width: 12 });
  await calls.of(pasteMask, f(1), f(2, 3, 7, 6), { height: 9, width: 12 });
  await calls.of(pasteMask, f(1, 1, 1, 1), f(2, 3, 7, 6), { height: 9, width: 12 });
  const two = Float32Array.from([...soft, ...soft].map((x, k) => (k < 16 ? x : 1 - x)));
  await calls.of(pasteMasks, two, f(1.5, 2, 9, 6.5, 0, 0, 4, 8), { height: 9, width: 12 });
  await calls.of(pasteMasks, two, f(1.5, 2, 9, 6.5, 0, 0, 4, 8), { height: 9, width: 12 }, 0.8);
  await calls.of(pasteMasks, f(), f(), { height: 9, width: 12 });
  calls.approve("models/detection/rows");
});

test("what a detector learns from is approved", async () => {
  const calls = new Calls();
  const first = (_length: number, count: number) => Array.from({ length: count }, (_, k) => k);
  const last = (length: number, count: number) => Array.from({ length: count }, (_, k) => length - 1 - k);
  const polygons = [
    [[2, 2, 14, 3, 8, 12]],
    [
      [0, 0, 4, 0, 4, 9],
      [5, 5, 8, 5, 8, 8],
    ],
  ];
  const objects = [
    { boxes: f(1, 2, 11, 7, 3, 4, 5, 20), classes: [2, 0], polygons },
    { boxes: f(), classes: [] },
    { boxes: f(-2, -3, 30, 40), classes: i(1), polygons: [[]] },
  ];
  const matching = { thresholds: [0.3, 0.5] as const, lowQuality: true };
  const sampling = { perImage: 5, objectShare: 0.5 };
  const anchors = f(...others, ...three, 0, 0, 6, 6, 4, 4, 5, 19);
  const drawn = objects.map((one) => drawRegions(one, anchors, { ...matching, ...sampling }, first));
  for (const [k, one] of drawn.entries()) calls.note(`drawRegions of image ${k}`, one);
  await calls.of(drawRegions, objects[0], anchors, { ...matching, ...sampling, lowQuality: false }, last);
  for (const share of [0.5, 0.3, 0.19, 1]) await calls.of(mostObjects, { perImage: 5, objectShare: share });
  const weights = [1, 2, 3, 4] as const;
  await calls.of(regionFeeds, drawn, objects, anchors, { ...sampling, weights });
  await calls.of(regionFeeds, drawn.slice(0, 1), objects, anchors, {
    ...sampling,
    perImage: 9,
    weights: [1, 1, 1, 1],
  });
  const proposals = [f(...others), f(5, 5, 9, 9, 0, 0, 3, 4), f(0, 0, 28, 39)];
  const rois = objects.map((one, k) => drawRois(one, proposals[k], 3, { ...matching, ...sampling }, first));
  for (const [k, one] of rois.entries()) calls.note(`drawRois of image ${k}`, one);
  await calls.of(drawRois, objects[0], proposals[0], 3, { ...matching, ...sampling, perImage: 3 }, last);
  await calls.of(drawRois, objects[1], f(), 3, { ...matching, ...sampling }, first);
  for (const normalize of ["image", "batch"] as const) {
    const settings = { ...sampling, classes: 3, weights: [10, 9, 5, 4] as const, normalize };
    await calls.of(roiFeeds, rois, objects, settings);
    await calls.of(maskFeeds, rois, objects, 4, settings);
  }
  const none = drawRois(objects[1], f(), 3, { ...matching, ...sampling }, first);
  const alone = { ...sampling, classes: 3, weights, normalize: "image" } as const;
  await calls.of(roiFeeds, [none], [objects[1]], alone);
  await calls.of(maskFeeds, [none], [objects[1]], 2, { ...alone, normalize: "batch" });
  const maps = [
    { level: 2, stride: 4, height: 3, width: 5 },
    { level: 3, stride: 8, height: 2, width: 3 },
  ];
  const levels = { canonicalSize: 10, canonicalLevel: 3, lowest: 2, highest: 3 };
  await calls.of(
    roiRowFeeds,
    rois.map((one) => one.boxes),
    maps,
    { ...levels, bins: 2, capacity: 5 },
  );
  await calls.of(roiRowFeeds, [f()], maps, { ...levels, bins: 3, capacity: 1 });
  calls.approve("models/detection/targets");
});
