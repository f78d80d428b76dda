import assert from "node:assert/strict";
import { test } from "node:test";
import { resizePlanes } from "../../../src/core/resample";
import { Rng } from "../../../src/core/rng";
import { predictIds } from "../../../src/models/predictIds";

/** All planes resized, and the first of the largest numbers of each pixel. */
function byPlanes(
  logits: Float32Array,
  rows: number,
  columns: number,
  height: number,
  width: number,
): Int32Array {
  const planes = resizePlanes(logits, rows, columns, height, width);
  const pixels = height * width;
  return Int32Array.from({ length: pixels }, (_, i) => {
    let best = 0;
    for (let id = 1; id < planes.length / pixels; id++)
      if (planes[id * pixels + i] > planes[best * pixels + i]) best = id;
    return best;
  });
}

const kinds: Record<string, (rng: Rng, id: number) => number> = {
  "far apart": (rng) => 20 * rng.uniform() - 10,
  "nearly equal": (rng) => 3 + 1e-6 * rng.uniform(),
  "often equal": (rng) => rng.integer(3),
  "all negative": (rng) => -100 - rng.uniform(),
  "one class above all": (rng, id) => (id === 4 ? 50 : 0) + rng.uniform(),
  constant: () => 1,
};

for (const [kind, draw] of Object.entries(kinds)) {
  test(`ids of logits that are ${kind} are those of the resized planes`, () => {
    const rng = new Rng(7).fork(kind);
    for (const [classes, rows, columns, height, width] of [
      [9, 4, 6, 37, 50],
      [30, 3, 3, 24, 24],
      [5, 1, 1, 7, 3],
      [2, 8, 2, 5, 9],
      [12, 5, 5, 5, 5],
      [7, 1, 9, 1, 40],
    ]) {
      const size = rows * columns;
      const logits = Float32Array.from({ length: classes * size }, (_, i) => draw(rng, Math.floor(i / size)));
      const ids = predictIds({ logits, rows, columns }, height, width);
      assert.deepEqual(ids, byPlanes(logits, rows, columns, height, width));
    }
  });
}

test("no more memory is taken for 920 classes than for two", () => {
  const [rows, columns, height, width] = [16, 20, 400, 500];
  const logits = Float32Array.from({ length: 920 * rows * columns }, (_, i) => Math.sin(i * i));
  const before = process.memoryUsage().arrayBuffers;
  predictIds({ logits, rows, columns }, height, width);
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(taken < 32 * height * width, `${taken} bytes, and 920 planes are ${4 * 920 * height * width}`);
});

test("a mask with more pixels than a square of the longest side is predicted at that side, the other cut off, and enlarged by nearest neighbor", () => {
  const [rows, columns, longest] = [4, 3, 10];
  const rng = new Rng(11);
  const logits = Float32Array.from({ length: 6 * rows * columns }, () => rng.normal());
  const sizes: [height: number, width: number, small: [number, number] | undefined][] = [
    [10, 10, undefined],
    [4, 25, undefined],
    [31, 21, [10, 6]], // 10 * 21 / 31 is 6.77
    [21, 31, [6, 10]],
    [11, 11, [10, 10]],
  ];
  for (const [height, width, small] of sizes) {
    const ids = predictIds({ logits, rows, columns }, height, width, longest);
    const [h, w] = small ?? [height, width];
    const own = byPlanes(logits, rows, columns, h, w);
    const expected = Array.from({ length: height * width }, (_, i) => {
      const [y, x] = [Math.floor(i / width), i % width];
      return own[Math.floor((y * h) / height) * w + Math.floor((x * w) / width)];
    });
    assert.deepEqual([...ids], expected, `${height} x ${width}`);
  }
});
