import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { poolBoxes } from "../../../../src/models/detection/pool";
import { levelsOf } from "../../../../src/models/detection/roiWeights";
import { Detector } from "../../../../src/models/detector/detector";
import { poolRois } from "../../../../src/models/detector/rois";
import { officialSettings, roiLevels, roiMaps } from "../../../../src/models/detector/settings";
import { detectorAnchors, roiRows } from "../../../../src/models/detector/stages";
import { WindowedViT } from "../../../../src/models/detector/vitDet";
import { assertClose, isLuvitError, randomTensor } from "../../nn/support";

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
