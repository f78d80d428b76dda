import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { poolBoxes } from "../../../../src/models/detection/pool";
import { levelsOf } from "../../../../src/models/detection/roiWeights";
import { Detector } from "../../../../src/models/detector/detector";
import { detectorSettings, quarterEnds } from "../../../../src/models/detector/options";
import { poolRois } from "../../../../src/models/detector/rois";
import { officialSettings, roiLevels, roiMaps } from "../../../../src/models/detector/settings";
import { detectorAnchors, proposalsOf, roiRows } from "../../../../src/models/detector/stages";
import { WindowedViT } from "../../../../src/models/detector/vitDet";
import { assertClose, isLuvitError, randomTensor } from "../../nn/support";
import { normsOf } from "../support";

before(() => startBackend({ backend: "wasm" }));

const base16 = {
  imageSize: 1024,
  patchSize: 16,
  dim: 768,
  depth: 12,
  heads: 12,
  mlpRatio: 4,
  windowSize: 14,
  globalBlocks: [2, 5, 8, 11],
  pretrainImageSize: 224,
  normEps: 1e-6,
};

test("ViT-B has detectron2's 110,895,792 parameters under its names, without memory being taken", () => {
  const model = new Detector(officialSettings(base16, 80, true));
  assert.equal(model.counts().total, 110_895_792);
  const shapes = new Map([...model.namedParameters()].map(([path, p]) => [path, p.shape.join()]));
  assert.equal(shapes.get("backbone.net.blocks.2.attn.rel_pos_h"), "127,64");
  assert.equal(shapes.get("backbone.net.blocks.3.attn.rel_pos_w"), "27,64");
  assert.equal(shapes.get("backbone.simfp_2.4.norm.weight"), "256");
  assert.equal(shapes.get("proposal_generator.rpn_head.conv.conv1.weight"), "256,256,3,3");
  assert.equal(shapes.get("roi_heads.box_head.fc1.weight"), "1024,12544");
  assert.equal(shapes.get("roi_heads.mask_head.deconv.weight"), "256,256,2,2");
});

test("at 1024 pixels there are 261,888 anchors", () => {
  assert.equal(detectorAnchors(officialSettings(base16, 80, true)).all.length / 4, 261_888);
});

test("without masks there is no mask head", () => {
  const model = new Detector(officialSettings(base16, 80, false));
  assert.ok([...model.namedParameters()].every(([path]) => !path.includes("mask")));
});

test("ROIAlign on the host sees what the graph sees", () => {
  const settings = officialSettings({ ...base16, imageSize: 64 }, 3, true);
  const maps = roiMaps(settings).map((map, i) => ({
    ...map,
    tensor: randomTensor([1, map.height, map.width, 5], i),
  }));
  const rng = new Rng(3);
  const boxes = Float32Array.from({ length: 40 }, (_, i) =>
    i % 4 < 2 ? rng.between(-8, 40) : rng.between(40, 70),
  );
  const rows = roiRows(settings, [boxes], 7, 12);
  const given = (name: string) => tf.tensor(rows[name].data, [...rows[name].shape]);
  const expected = poolRois(
    maps.map(({ tensor }) => tensor),
    maps.map(({ level }) => ({ y: given(`y${level}`), x: given(`x${level}`) })),
  );
  const hosted = maps.map(({ tensor, ...map }) => ({ ...map, data: tensor.dataSync() as Float32Array }));
  const pooled = poolBoxes(hosted, boxes, levelsOf(boxes, roiLevels(settings)), 7, 12);
  assertClose([...pooled], [...expected.dataSync()], 1e-5);
});

test("drop path takes a sample's branch away, and images that the patch does not divide are refused", () => {
  const config = { ...base16, imageSize: 32, dim: 8, depth: 1, heads: 2, globalBlocks: [], windowSize: 2 };
  const model = new WindowedViT({ ...config, pretrainImageSize: 32 }, undefined, 1);
  const images = randomTensor([2, 3, 32, 32], 4);
  const seen: number[][] = [];
  const tap = (name: string, value: tf.Tensor) => {
    if (name === "tokens") seen.push([...value.dataSync()]);
  };
  const dropped = model.forward(images, { tap, dropPath: tf.tensor2d([0, 2, 0, 2], [2, 2]) });
  const [first, second] = tf.unstack(dropped).map((x) => [...x.dataSync()]);
  assert.deepEqual(first, seen[0].slice(0, first.length));
  assert.notDeepEqual(second, seen[0].slice(first.length));
  assert.throws(
    () => model.forward(tf.zeros([1, 3, 40, 32])),
    isLuvitError("shape-mismatch", "multiples of 16"),
  );
});

test("proposals of every image of a batch are its own, cut to its own size", () => {
  const settings = officialSettings({ ...base16, imageSize: 64 }, 3, false);
  const anchors = detectorAnchors(settings);
  const count = anchors.all.length / 4;
  const rng = new Rng(5);
  const numbers = (length: number) => Float32Array.from({ length }, () => rng.normal());
  const [logits, deltas] = [numbers(2 * count), numbers(8 * count)];
  const sizes = [
    { height: 64, width: 40 },
    { height: 24, width: 64 },
  ];
  const together = proposalsOf(settings, anchors, { logits, deltas }, sizes, true);
  for (const [i, size] of sizes.entries()) {
    const own = {
      logits: logits.slice(i * count, (i + 1) * count),
      deltas: deltas.slice(4 * i * count, 4 * (i + 1) * count),
    };
    assert.deepEqual(together[i], proposalsOf(settings, anchors, own, [size], true)[0]);
    const largest = (place: number) => Math.max(...together[i].boxes.filter((_, at) => at % 4 === place));
    assert.deepEqual([largest(2), largest(3)], [size.width, size.height]);
  }
});

test("training keeps as many proposals as training asks for, and finding as many as finding does", () => {
  const official = officialSettings({ ...base16, imageSize: 64 }, 3, false);
  const most = { perLevel: { train: 9, test: 7 }, proposals: { train: 5, test: 3 }, overlap: 1 };
  const settings = { ...official, regions: { ...official.regions, ...most } };
  const anchors = detectorAnchors(settings);
  const count = anchors.all.length / 4;
  const outputs = {
    logits: randomTensor([count], 1).dataSync<"float32">(),
    deltas: new Float32Array(4 * count),
  };
  const found = (training: boolean, more = {}) =>
    proposalsOf(
      { ...settings, regions: { ...settings.regions, ...more } },
      anchors,
      outputs,
      [{ height: 64, width: 64 }],
      training,
    )[0].logits.length;
  assert.deepEqual([found(true), found(false)], [5, 3]);
  const all = { proposals: { train: 1e6, test: 1e6 }, overlap: 1 };
  // The coarsest of the five maps has one place with three anchors, the one before it twelve.
  assert.deepEqual([found(true, all), found(false, all)], [4 * 9 + 3, 4 * 7 + 3]);
});

test("a detector's norms have the epsilon that it is asked for, wherever they stand", () => {
  const settings = officialSettings(
    { ...base16, imageSize: 64, dim: 16, depth: 2, heads: 2, globalBlocks: [1] },
    3,
    true,
  );
  const made = new Detector({ ...settings, normEps: 1e-3, encoder: { ...settings.encoder, normEps: 1e-2 } });
  for (const [path, { eps }] of normsOf(made))
    assert.equal(eps, path.startsWith("backbone.net.") ? 1e-2 : 1e-3, path);
});

test("every option of a detector is its setting, what is left out is detectron2's", () => {
  const vit = { imageSize: 224, patchSize: 16, dim: 64, depth: 12, heads: 4, mlpRatio: 4 };
  const usual = detectorSettings(vit, { classes: 80 });
  const encoder = {
    ...vit,
    imageSize: 1024,
    windowSize: 14,
    globalBlocks: [2, 5, 8, 11],
    pretrainImageSize: 224,
    normEps: 1e-6,
  };
  assert.deepEqual(usual, officialSettings(encoder, 80, true));
  const regions = {
    ...{
      sizes: [[8], [16], [32], [64], [128]],
      ratios: [1],
      offset: 0.5,
      thresholds: [0.2, 0.6],
      lowQuality: false,
    },
    ...{ perImage: 8, objectShare: 0.25, weights: [2, 2, 1, 1], perLevel: { train: 5, test: 4 } },
    ...{ proposals: { train: 3, test: 2 }, overlap: 0.5 },
  } as const;
  const rois = {
    ...{
      thresholds: [0.6],
      lowQuality: true,
      perImage: 6,
      objectShare: 0.75,
      convolutions: 2,
      channels: 8,
      hidden: 16,
    },
    ...{ boxBins: 5, maskBins: 6, weights: [1, 1, 1, 1], canonicalSize: 32, canonicalLevel: 3 },
    detections: { scoreThreshold: 0.1, threshold: 0.6, perImage: 7 },
  } as const;
  assert.deepEqual(Object.keys(regions).sort(), Object.keys(usual.regions).sort(), "all of them");
  assert.deepEqual(Object.keys(rois).sort(), Object.keys(usual.rois).sort(), "all of them");
  for (const [key, value] of Object.entries(regions))
    assert.deepEqual(detectorSettings(vit, { classes: 80, regions: { [key]: value } }), {
      ...usual,
      regions: { ...usual.regions, [key]: value },
    });
  for (const [key, value] of Object.entries(rois))
    assert.deepEqual(detectorSettings(vit, { classes: 80, rois: { [key]: value } }), {
      ...usual,
      rois: { ...usual.rois, [key]: value },
    });
  const own = { imageSize: 512, windowSize: 7, globalBlocks: [0, 11], normEps: 1e-5 };
  const made = detectorSettings(vit, { classes: 3, masks: false, pyramid: 32, ...own });
  assert.deepEqual(made.encoder, { ...encoder, ...own });
  assert.deepEqual([made.classes, made.masks, made.pyramid, made.normEps], [3, false, 32, 1e-5]);
});

test("the blocks that see everything are the last of each quarter, those of ViTDet-B, -L and -H", () => {
  assert.deepEqual([12, 24, 32].map(quarterEnds), [
    [2, 5, 8, 11],
    [5, 11, 17, 23],
    [7, 15, 23, 31],
  ]);
});

test("what detectron2 has in mask_rcnn_fpn.py and ViTDet's config is what a detector is left to itself", () => {
  const { regions, rois, pyramid } = officialSettings(base16, 80, true);
  assert.equal(pyramid, 256);
  const { sizes, ratios, offset, ...proposing } = regions;
  assert.deepEqual([sizes.flat(), ratios, offset], [[32, 64, 128, 256, 512], [0.5, 1, 2], 0]);
  assert.deepEqual(proposing, {
    ...{ thresholds: [0.3, 0.7], lowQuality: true, perImage: 256, objectShare: 0.5, weights: [1, 1, 1, 1] },
    ...{ perLevel: { train: 2000, test: 1000 }, proposals: { train: 1000, test: 1000 }, overlap: 0.7 },
  });
  assert.deepEqual(rois, {
    ...{ thresholds: [0.5], lowQuality: false, perImage: 512, objectShare: 0.25, weights: [10, 10, 5, 5] },
    ...{ convolutions: 4, channels: 256, hidden: 1024, boxBins: 7, maskBins: 14 },
    ...{
      canonicalSize: 224,
      canonicalLevel: 4,
      detections: { scoreThreshold: 0.05, threshold: 0.5, perImage: 100 },
    },
  });
});
