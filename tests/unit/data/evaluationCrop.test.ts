import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { normalize } from "../../../src/data/pixels";
import { evaluation } from "../../../src/data/transforms";
import { paintedImage } from "./support";

test("upright, lying and square images are cut in their middle, in pixels and in numbers alike", () => {
  for (const [width, height] of [
    [60, 24],
    [24, 60],
    [33, 33],
    [64, 37],
  ]) {
    const image = paintedImage(width, height, (x, y) => [(7 * x) % 256, (5 * y) % 256, (x * y) % 256]);
    for (const cropRatio of [0.5, 0.875, 1]) {
      const transform = evaluation(16, { cropRatio });
      const { data, width: side } = transform.pixels(image);
      assert.equal(side, 16);
      const numbers = transform.apply(image, new Rng(0));
      const expected = normalize({ data, width: 16, height: 16 });
      for (const [i, value] of numbers.entries())
        assert.ok(Math.abs(value - expected[i]) < 1e-5, `${width} x ${height}, ${cropRatio}: ${i}`);
    }
  }
});
