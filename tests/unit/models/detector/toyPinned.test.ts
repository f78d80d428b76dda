import assert from "node:assert/strict";
import { test } from "node:test";
import { toy } from "../../../../src/models/detector/toy";

test("the toy detector is the one that its recipe's scores were measured with", () => {
  assert.deepEqual(toy.encoder, { imageSize: 96, patchSize: 12, dim: 64, depth: 3, heads: 4, mlpRatio: 4 });
  const { imageSize, windowSize, globalBlocks, pyramid } = toy;
  assert.deepEqual(
    { imageSize, windowSize, globalBlocks, pyramid },
    {
      ...{ imageSize: 96, windowSize: 4, globalBlocks: [1, 2], pyramid: 32 },
    },
  );
  const { sizes, ...regions } = toy.regions;
  assert.deepEqual(sizes, [
    [16, 24],
    [32, 44],
    [56, 72],
    [96, 128],
    [160, 200],
  ]);
  assert.deepEqual(regions, {
    ...{ perImage: 64, perLevel: { train: 150, test: 80 }, proposals: { train: 80, test: 40 } },
  });
  assert.deepEqual(toy.rois, {
    ...{ perImage: 32, convolutions: 1, channels: 32, hidden: 128, canonicalSize: 64 },
    detections: { scoreThreshold: 0.05, threshold: 0.5, perImage: 20 },
  });
});
