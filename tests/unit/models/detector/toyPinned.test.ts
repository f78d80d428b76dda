import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anchorSettings,
  type DetectorSettings,
  levelMaps,
  roiLevels,
  roiMaps,
} from "../../../../src/models/detector/settings";
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

test("maps of odd grids are halved as pooling halves them, down first and then up", () => {
  const at = (imageSize: number) =>
    ({ encoder: { ...toy.encoder, imageSize, patchSize: 16 } }) as unknown as DetectorSettings;
  const sides = (imageSize: number) => levelMaps(at(imageSize)).map(({ height }) => height);
  assert.deepEqual(sides(96), [24, 12, 6, 3, 2]);
  assert.deepEqual(sides(80), [20, 10, 5, 2, 1]);
  assert.deepEqual(sides(16 * 7), [28, 14, 7, 3, 2]);
  assert.deepEqual(
    levelMaps(at(80)).map(({ level, stride, width }) => [level, stride, width]),
    [
      [2, 4, 20],
      [3, 8, 10],
      [4, 16, 5],
      [5, 32, 2],
      [6, 64, 1],
    ],
  );
  const settings = { ...toy, ...at(80) } as unknown as DetectorSettings;
  assert.deepEqual(
    roiMaps(settings).map(({ level }) => level),
    [2, 3, 4, 5],
    "boxes are not looked at on the last",
  );
  const { lowest, highest, canonicalSize } = roiLevels(settings);
  assert.deepEqual([lowest, highest, canonicalSize], [2, 5, 64]);
  assert.deepEqual(anchorSettings(settings).strides, [4, 8, 16, 32, 64]);
});
