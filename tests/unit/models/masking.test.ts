import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { drawNoise, maskFromNoise } from "../../../src/models/masking";
import { isLuvitError } from "../nn/support";

const draw = (batch: number, patches: number, ratio: number, seed = 1) => {
  const noise = drawNoise(batch, patches, new Rng(seed));
  return { noise, ...maskFromNoise(noise, batch, ratio) };
};

test("the kept count is int(L (1 - ratio)), also for odd numbers of patches", () => {
  const counts = [
    [196, 0.75],
    [9, 0.75],
    [7, 0.5],
    [25, 0.6],
    [49, 0.9],
    [64, 0.75],
  ].map(([patches, ratio]) => draw(1, patches, ratio).kept);
  assert.deepEqual(counts, [49, 2, 3, 10, 4, 16]);
});

for (const patches of [9, 25, 64]) {
  test(`of ${patches} patches the ones with the least noise are kept, in the order of their noise`, () => {
    const batch = 3;
    const { noise, kept, keepRows, restoreRows, mask, idsRestore } = draw(batch, patches, 0.75);
    for (let image = 0; image < batch; image++) {
      const start = image * patches;
      const rows = [...keepRows.subarray(image * kept, (image + 1) * kept)];
      const levels = rows.map((row) => noise[row]);
      assert.deepEqual(
        levels,
        [...levels].sort((a, b) => a - b),
      );
      for (let patch = start; patch < start + patches; patch++) {
        const visible = rows.includes(patch);
        assert.equal(mask[patch], visible ? 0 : 1);
        if (!visible) assert.ok(noise[patch] > levels[kept - 1]);
        assert.equal(restoreRows[patch], visible ? keepRows.indexOf(patch) : batch * kept);
        assert.equal(idsRestore[patch] < kept, visible);
      }
      const places = [...idsRestore.subarray(start, start + patches)].sort((a, b) => a - b);
      assert.deepEqual(
        places,
        Array.from({ length: patches }, (_, i) => i),
      );
    }
  });
}

test("equal noise is decided by the order of the patches", () => {
  const { keepRows } = maskFromNoise([0.5, 0.5, 0.5, 0.5, 0.1, 0.5, 0.5, 0.5], 2, 0.5);
  assert.deepEqual([...keepRows], [0, 1, 4, 5]);
});

test("noise is uniform in [0, 1) and the same for the same stream", () => {
  const noise = drawNoise(4, 100, new Rng(2));
  assert.ok(noise.every((u) => u >= 0 && u < 1));
  assert.deepEqual(noise, drawNoise(4, 100, new Rng(2)));
});

test("noise that does not divide into images, and ratios that keep nothing, are errors", () => {
  assert.throws(
    () => maskFromNoise(new Float32Array(10), 3, 0.5),
    isLuvitError("shape-mismatch", "10 numbers", "3 images"),
  );
  for (const ratio of [1, 75, -0.5, Number.NaN]) {
    assert.throws(
      () => maskFromNoise(new Float32Array(8), 2, ratio),
      isLuvitError("bad-argument", `${ratio}`),
      `${ratio}`,
    );
  }
});
