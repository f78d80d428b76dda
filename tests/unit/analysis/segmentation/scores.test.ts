import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addCounts,
  boundaryBands,
  countImage,
  emptyCounts,
  SegmentationScores,
} from "../../../../src/analysis/segmentation";
import { Rng } from "../../../../src/core/rng";
import { predictIds } from "../../../../src/models/predictIds";

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}, expected ${expected}`);
const map = (ids: number[]) => Int32Array.from(ids);

function scores(images: [prediction: number[], target: number[]][], width: number, classes = ["a", "b"]) {
  const counts = emptyCounts(classes.length + 1);
  for (const [prediction, target] of images)
    countImage(counts, map(prediction), map(target), target.length / width, width);
  return new SegmentationScores(counts, classes);
}

test("the mean is over all classes and other, also over those that never occur", () => {
  const { ious, summary } = scores(
    [
      [
        [0, 0, 1, 1],
        [0, 1, 1, 1],
      ],
    ],
    2,
  );
  for (const [id, value] of [50, 200 / 3, 0].entries()) near(ious[id], value);
  near(summary.mIoU, (50 + 200 / 3) / 3);
  near(summary.accuracy, 100);
  near(summary.F, (100 * 1.3 * 1 * (2 / 3)) / (0.3 + 2 / 3));
});

test("ignored pixels count nowhere, neither as target nor as prediction", () => {
  const with1000 = scores(
    [
      [
        [1, 2, 0, 2],
        [1, 1000, 0, 1000],
      ],
    ],
    2,
  );
  near(with1000.ious[1], 100);
  near(with1000.ious[2], 0);
  assert.deepEqual([...with1000.counts.whole.prediction], [1, 1, 0]);
});

test("an image that is ignored as a whole adds nothing but itself", () => {
  const { summary } = scores(
    [
      [
        [1, 1],
        [1000, 1000],
      ],
      [
        [1, 1],
        [1, 1],
      ],
    ],
    2,
  );
  near(summary.F, 50);
  near(summary.mIoU, 100 / 3);
});

test("sizes are those of objects in their image", () => {
  const target = Array.from({ length: 100 }, (_, i) => (i < 5 ? 1 : i < 60 ? 2 : 0));
  const { summary } = scores([[target, target]], 10);
  for (const size of ["S", "L"] as const) near(summary[size], 100);
  assert.ok(Number.isNaN(summary.MS) && Number.isNaN(summary.ML));
});

test("bands are as wide as 3 % of the diagonal, at least a pixel, and follow the outside too", () => {
  const ids = map(Array.from({ length: 49 }, (_, i) => (i % 7 < 4 ? 0 : 5)));
  const expected = Array.from({ length: 49 }, (_, i) => {
    const [x, y] = [i % 7, Math.floor(i / 7)];
    const isInside = y > 0 && y < 6 && (x === 1 || x === 2 || x === 5);
    return isInside ? 0 : ids[i] + 1;
  });
  assert.deepEqual([...boundaryBands(ids, 7, 7)], expected);
  assert.deepEqual([...boundaryBands(map([3]), 1, 1)], [4]);
});

test("bands are what a window with one id alone leaves, in random maps", () => {
  const rng = new Rng(4);
  for (let i = 0; i < 40; i++) {
    const [height, width] = [1 + rng.integer(80), 1 + rng.integer(80)];
    const ids = map(
      Array.from(
        { length: height * width },
        (_, at) => Number(rng.uniform() < 0.01) + (at % width > 30 ? 4 : 0),
      ),
    );
    const distance = Math.max(1, Math.round(0.03 * Math.hypot(height, width)));
    const bands = boundaryBands(ids, height, width);
    for (let k = 0; k < 60; k++) {
      const [x, y] = [rng.integer(width), rng.integer(height)];
      let isInside = true;
      for (let dy = -distance; dy <= distance; dy++) {
        for (let dx = -distance; dx <= distance; dx++) {
          const isThere = x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height;
          if (!isThere || ids[(y + dy) * width + x + dx] !== ids[y * width + x]) isInside = false;
        }
      }
      assert.equal(bands[y * width + x], isInside ? 0 : ids[y * width + x] + 1);
    }
  }
});

test("counts of parts add up to those of the whole", () => {
  const rng = new Rng(9);
  const random = (most: number) => map(Array.from({ length: 30 }, () => rng.integer(most)));
  const images = Array.from({ length: 8 }, () => [random(3), random(3)] as const);
  const count = (part: typeof images) => {
    const counts = emptyCounts(3);
    for (const [prediction, target] of part) countImage(counts, prediction, target, 5, 6);
    return counts;
  };
  const [whole, first] = [count(images), count(images.slice(0, 3))];
  addCounts(
    first,
    JSON.parse(
      JSON.stringify(count(images.slice(3)), (_, value) =>
        value instanceof Float64Array ? [...value] : value,
      ),
    ),
  );
  near(first.images.f, whole.images.f);
  assert.deepEqual({ ...first, images: 0 }, { ...whole, images: 0 });
});

test("the largest of the resized logits decides, of equal ones the first class", () => {
  const logits = Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0);
  assert.deepEqual([...predictIds({ logits, rows: 2, columns: 2 }, 2, 2)], [0, 1, 1, 0]);
  assert.deepEqual([...predictIds({ logits: new Float32Array(8), rows: 2, columns: 2 }, 1, 3)], [0, 0, 0]);
});

test("scores of 919 classes print beside what others have published", () => {
  const counts = emptyCounts(920);
  countImage(counts, map([919, 0]), map([919, 0]), 1, 2);
  const names = Array.from({ length: 919 }, (_, i) => `n${i}`);
  assert.match(
    String(new SegmentationScores(counts, names)),
    /MAE, 1600 epochs +ViT-B\/16 +ImageNetSegModel +38\.3/,
  );
  assert.doesNotMatch(String(scores([[[0], [0]]], 1)), /published/);
});

test("ids that are no class, and maps of other sizes, are refused", () => {
  const counts = emptyCounts(3);
  assert.throws(
    () => countImage(counts, map([0, 3]), map([0, 0]), 1, 2),
    /id 3 in the prediction, expected 0 … 2/,
  );
  assert.throws(
    () => countImage(counts, map([0, 0]), map([0, 999]), 1, 2),
    /id 999 in the target, expected 0 … 2/,
  );
  assert.throws(() => countImage(counts, map([0]), map([0, 0]), 1, 2), /1 and 2 ids for 2 pixels/);
  assert.throws(() => new SegmentationScores(counts, ["a"]), /1 names for 2 classes beside "other"/);
});

test("an object is small up to 5 % of what counts of its image, then up to 25 and 50 %", () => {
  const sizesOf = (pixels: number, ignored = 0) => {
    const target = Array.from({ length: 1000 }, (_, i) => (i < pixels ? 2 : i < 1000 - ignored ? 0 : 1000));
    const { counts } = scores([[new Array(1000).fill(0), target]], 40);
    const there = (["S", "MS", "ML", "L"] as const).filter((size) => counts.sizes[size].target[2] > 0);
    assert.deepEqual(
      there.map((size) => [...counts.sizes[size].target]),
      [[1000 - ignored - pixels, 0, pixels]],
    );
    for (const size of ["S", "MS", "ML", "L"] as const)
      if (!there.includes(size))
        assert.deepEqual([...counts.sizes[size].target], [0, 0, 0], "nor its ground");
    return there[0];
  };
  const found = [50, 51, 250, 251, 500, 501].map((pixels) => sizesOf(pixels));
  assert.deepEqual(found, ["S", "MS", "MS", "ML", "ML", "L"]);
  assert.equal(sizesOf(50, 10), "MS", "50 of 990 are more than 5 %");
});

test("the main object counts as right where it is there, no object never does, and objects are not told apart by F", () => {
  assert.equal(
    scores(
      [
        [
          [0, 0],
          [0, 1],
        ],
      ],
      2,
    ).summary.accuracy,
    0,
  );
  assert.equal(
    scores(
      [
        [
          [0, 0, 2],
          [0, 2, 0],
        ],
      ],
      3,
    ).summary.accuracy,
    100,
    "however many pixels are none",
  );
  assert.equal(
    scores(
      [
        [
          [1, 2, 2],
          [1, 1, 1],
        ],
      ],
      3,
    ).summary.accuracy,
    0,
  );
  assert.equal(
    scores(
      [
        [
          [1, 2, 2],
          [1, 1, 1000],
        ],
      ],
      3,
    ).summary.accuracy,
    100,
    "of equal ones the first",
  );
  near(
    scores(
      [
        [
          [2, 2],
          [1, 1],
        ],
      ],
      2,
    ).summary.F,
    100,
  );
  near(
    scores(
      [
        [
          [0, 0],
          [0, 0],
        ],
      ],
      2,
    ).summary.F,
    0,
  );
});
