import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draws } from "../../../../src/data/corruptions/draws";
import { elasticTransform } from "../../../../src/data/corruptions/elastic";
import { paintedImage } from "../support";

const size = 64;
const [center, side] = [size / 2, Math.floor(size / 3)];

/** Draws whose uniform numbers are `value` of their place in the order, noting between what they were asked for. */
function draws(value: (index: number) => number) {
  const asked: number[][] = [];
  const between = (low: number, high: number) => {
    asked.push([low, high]);
    return value(asked.length - 1);
  };
  return { asked, draws: { between } as unknown as Draws };
}

/** Brightness rises by two levels a pixel, along x in red and along y in green. */
const ramps = paintedImage(size, size, (x, y) => [2 * x, 2 * y, 0]);

/** The share that a point of the triangle has in a place; one at itself, none at the others. */
const shares: ((x: number, y: number) => number)[] = [
  (_, y) => (y + side) / (2 * side),
  (x, y) => (x - y) / (2 * side),
  (x) => (side - x) / (2 * side),
];

for (const [point, share] of shares.entries()) {
  test(`point ${point + 1} of three around the center takes its part of the image along`, () => {
    for (const axis of [0, 1]) {
      const moved = draws((index) => (index === 2 * point + axis ? 3 : 0));
      const { data } = elasticTransform(ramps, 3, moved.draws);
      for (const [x, y] of [
        [center, center],
        [center + 9, center - 6],
        [center - 8, center + 10],
        [center - side, center - side],
      ]) {
        // The share is that of the place the pixel came from, near enough where it moves by little.
        let from = [x - center, y - center];
        for (let i = 0; i < 20; i++) {
          const way = 3 * share(from[0], from[1]);
          from = [x - center - (axis === 0 ? way : 0), y - center - (axis === 1 ? way : 0)];
        }
        const level = data[3 * (y * size + x) + axis];
        assert.ok(Math.abs(level - 2 * (from[axis] + center)) < 0.15, `${x}, ${y}: ${level} from ${from}`);
      }
    }
  });
}

test("corners move by up to a tenth, a fifth or a fiftieth of 244 pixels, the field is drawn in ±1", () => {
  for (const [i, reach] of [24.4, 48.8, 4.88, 4.88, 4.88].entries()) {
    const { asked, draws: still } = draws(() => 0);
    elasticTransform(ramps, i + 1, still);
    assert.equal(asked.length, 6 + 2 * size * size);
    for (const [low, high] of asked.slice(0, 6)) {
      assert.ok(Math.abs(high - reach) < 1e-9 && low === -high, `${low} … ${high}`);
    }
    assert.ok(asked.slice(6).every(([low, high]) => low === -1 && high === 1));
  }
});

/** A position outside is that of its mirror image, whose edge pixels come twice. */
const mirrored = (place: number) => {
  const within = ((place % (2 * size)) + 2 * size) % (2 * size);
  return within < size ? within : 2 * size - 1 - within;
};

/** How much of one pixel a Gaussian of that deviation, cut off at three of them, brings to each along an axis. */
function spread(sigma: number, source: number): number[] {
  const reach = Math.floor(3 * sigma + 0.5);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b);
  const result = new Array<number>(size).fill(0);
  for (let place = 0; place < size; place++) {
    for (let k = -reach; k <= reach; k++) {
      if (mirrored(place + k) === source) result[place] += weights[k + reach] / sum;
    }
  }
  return result;
}

test("the field is noise smoothed and scaled as the severity says, first along x, then along y", () => {
  const [row, column] = [center, center - 1];
  for (const [i, [strength, sigma]] of [
    [488, 170.8],
    [488, 19.52],
    [12.2, 2.44],
    [17.08, 2.44],
    [29.28, 2.44],
  ].entries()) {
    for (const axis of [0, 1]) {
      const first = 6 + axis * size * size;
      const impulse = draws((index) => (index === first + row * size + column ? 1 : 0));
      const { data } = elasticTransform(ramps, i + 1, impulse.draws);
      const [across, down] = [spread(sigma, column), spread(sigma, row)];
      for (const [x, y] of [
        [column, row],
        [column + 3, row],
        [column, row - 4],
        [column - 2, row + 3],
      ]) {
        const way = strength * across[x] * down[y];
        const level = data[3 * (y * size + x) + axis];
        const expected = 2 * ((axis === 0 ? x : y) + way);
        assert.ok(
          Math.abs(level - expected) < 2e-3,
          `severity ${i + 1}, ${x}, ${y}: ${level}, not ${expected}`,
        );
      }
    }
  }
});
