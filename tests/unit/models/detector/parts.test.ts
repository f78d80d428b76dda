import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { detector, fusion, mae } from "../../../../src/models";
import { Detector } from "../../../../src/models/detector/detector";
import { detectorState, encoderState, kindOf } from "../../../../src/models/detector/names";
import { detectorSettings } from "../../../../src/models/detector/options";
import { WindowedViT } from "../../../../src/models/detector/vitDet";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { assertClose, isLuvitError, randomTensor } from "../../nn/support";
import { perturb, tinyBlock } from "../support";
import { head, vit } from "./support";

before(() => startBackend({ backend: "wasm" }));

const values = async (model: Detector, path: string) => (await model.stateDict()).get(path)!.data;
const deviation = (x: Float32Array) => Math.sqrt(x.reduce((sum, one) => sum + one * one, 0) / x.length);
const extent = (x: Float32Array) => x.reduce((most, one) => Math.max(most, Math.abs(one)), 0);

test("every layer of a detector starts as detectron2 starts it", async () => {
  const model = detector.create({ ...head, encoder: vit });
  const state = await model.stateDict();
  const start = (path: string) => state.get(path)!.data;
  const normals: Record<string, number> = {
    "backbone.net.pos_embed": 0.02,
    "backbone.net.blocks.0.attn.qkv.weight": 0.02,
    "backbone.net.blocks.1.attn.proj.weight": 0.02,
    "backbone.net.blocks.0.mlp.fc1.weight": 0.02,
    "backbone.net.blocks.0.mlp.fc2.weight": 0.02,
    "proposal_generator.rpn_head.conv.conv0.weight": 0.01,
    "proposal_generator.rpn_head.conv.conv1.weight": 0.01,
    "proposal_generator.rpn_head.objectness_logits.weight": 0.01,
    "proposal_generator.rpn_head.anchor_deltas.weight": 0.01,
    // c2_msra_fill: sqrt(2 / fan out), 9 per output channel; of the transposed convolution torch counts the inputs.
    "roi_heads.box_head.conv1.weight": Math.sqrt(2 / (9 * 24)),
    "roi_heads.box_head.conv2.weight": Math.sqrt(2 / (9 * 24)),
    "roi_heads.mask_head.mask_fcn2.weight": Math.sqrt(2 / (9 * 24)),
    "roi_heads.mask_head.deconv.weight": Math.sqrt(2 / (4 * 24)),
    "roi_heads.box_predictor.cls_score.weight": 0.01,
    "roi_heads.box_predictor.bbox_pred.weight": 0.001,
    "roi_heads.mask_head.predictor.weight": 0.001,
  };
  for (const [path, std] of Object.entries(normals)) {
    const found = deviation(start(path));
    assert.ok(Math.abs(found / std - 1) < 0.25, `${path}: ${found} against ${std}`);
  }
  const bounds: Record<string, number> = {
    // c2_xavier_fill: kaiming_uniform_(a=1), sqrt(3 / fan in).
    "roi_heads.box_head.fc1.weight": Math.sqrt(3 / (24 * 7 * 7)),
    "backbone.simfp_2.0.weight": 1 / Math.sqrt(4 * 16),
    "backbone.simfp_2.4.weight": 1 / Math.sqrt(8),
    "backbone.simfp_4.1.weight": 1 / Math.sqrt(24 * 9),
    "backbone.net.patch_embed.proj.weight": 1 / Math.sqrt(3 * 64),
  };
  for (const [path, bound] of Object.entries(bounds)) {
    const most = extent(start(path));
    assert.ok(most <= Math.fround(bound) && most > 0.9 * bound, `${path}: ${most} against ${bound}`);
  }
  const zero = [...model.namedParameters()]
    .map(([path]) => path)
    .filter((path) =>
      /(rpn_head|box_predictor|mask_head\.(deconv|predictor)|fc1|qkv).*\.bias$|rel_pos/.test(path),
    );
  assert.equal(zero.length, 4 + 2 + 2 + 1 + 2 * 2 + 4);
  for (const path of zero) assert.equal(extent(start(path)), 0, path);
  assert.ok(
    ![...model.namedParameters()].some(([path]) =>
      /(simfp_[23]\.[45]|box_head.conv1|mask_fcn1)\.bias$/.test(path),
    ),
  );
});

test("a seed makes a detector, its names and its path are its own", async () => {
  const make = (seed?: number) =>
    detector.create({ ...head, encoder: vit, seed, classNames: ["a", "b", "c"] });
  const first = async (seed?: number) => {
    const state = await make(seed).stateDict();
    return [
      "backbone.net.blocks.0.attn.qkv.weight",
      "backbone.simfp_4.0.weight",
      "roi_heads.box_head.fc1.weight",
    ].map((path) => state.get(path)!.data[0]);
  };
  assert.deepEqual(await first(2), await first(2));
  assert.deepEqual(await first(), await first(0));
  const [one, two] = [await first(2), await first(3)];
  for (const i of one.keys()) assert.notEqual(one[i], two[i]);
  const names = ["x", "y", "z"];
  const model = new Detector(detectorSettings(vit, head), { classNames: names });
  names[0] = "changed";
  assert.deepEqual(model.classNames, ["x", "y", "z"]);
  assert.deepEqual(make().describe().classNames, ["a", "b", "c"]);
  assert.equal(model.classes, 3);
  const pretrained = mae.create({
    encoder: vit,
    decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 },
    fusion: tinyBlock(),
  });
  const made = await detector.fromPretrained(pretrained, { ...head, classNames: ["a", "b", "c"], seed: 4 });
  assert.deepEqual(made.classNames, ["a", "b", "c"]);
  const fresh = detector.create({ ...head, encoder: vit, seed: 4 });
  const path = "roi_heads.box_predictor.cls_score.weight";
  assert.deepEqual(await values(made, path), await values(fresh, path));
  const first_ = mae.create({
    encoder: vit,
    fusion: fusion.through(tinyBlock(), { normFirst: true }),
    decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 },
  });
  await assert.rejects(detector.fromPretrained(first_, head), isLuvitError("bad-argument", "normFirst"));
});

test("what windowed blocks have not, and sizes that do not fit, are refused each by its name", () => {
  const extras = {
    registers: 2,
    layerScale: 0.1,
    mlp: "swiglu",
    classToken: false,
    preNorm: true,
    normEps: 1e-5,
  } as const;
  for (const [name, value] of Object.entries(extras))
    assert.throws(
      () => detectorSettings({ ...vit, [name]: value }, head),
      isLuvitError("bad-argument", `has no ${name};`),
    );
  const usual = { registers: 0, mlp: "gelu", classToken: true, preNorm: false, normEps: 1e-6 } as const;
  assert.equal(detectorSettings({ ...vit, ...usual }, head).classes, 3);
  const wrong: [object, object, string][] = [
    [{}, { imageSize: 68 }, "imageSize: expected a multiple of patchSize (8)"],
    [{ patchSize: 2 }, {}, "patchSize: expected a multiple of 4"],
    [{}, { imageSize: 24 }, "imageSize: expected at least 4 patches of 8"],
    [{}, { globalBlocks: [0, 2] }, "globalBlocks: expected blocks from 0 to 1"],
    [{}, { globalBlocks: [-1] }, "globalBlocks"],
  ];
  for (const [encoder, options, text] of wrong)
    assert.throws(
      () => detectorSettings({ ...vit, ...encoder }, { ...head, ...options }),
      isLuvitError("bad-argument", text),
    );
  assert.deepEqual(
    detectorSettings(vit, { ...head, imageSize: 32, globalBlocks: [1, 1] }).encoder.globalBlocks,
    [1],
  );
  for (const options of [
    { classNames: ["a"] },
    { classes: 0 },
    { regions: 1 },
    { windowSize: 0 },
    { pyramid: 0 },
  ])
    assert.throws(
      () => detector.create({ ...head, encoder: vit, ...(options as object) }),
      isLuvitError("bad-argument", Object.keys(options)[0]),
    );
});

test("windows are filled up with zeros behind the norm, which are seen like other tokens, even a map's only one", () => {
  const encoder = { ...detectorSettings(vit, head).encoder, depth: 1, globalBlocks: [], windowSize: 3 };
  const model = new WindowedViT(encoder, undefined, 1);
  perturb(model);
  const [{ norm1, attn, norm2, mlp }] = model.blocks;
  const sizes = [[2, 2], [4, 2], [3, 6]]; // biome-ignore format: pairs
  for (const [rows, columns] of sizes) {
    const seen = new Map<string, Tensor>();
    const images = randomTensor([2, 3, rows * 8, columns * 8], 7);
    model.forward(images, { tap: (name, value) => void seen.set(name, value) });
    const tokens = seen.get("tokens")!;
    const normal = tf.reshape(norm1.forward(tokens), [2, rows, columns, 32]);
    const attended = tf.buffer([2, rows, columns, 32]);
    const values = normal.arraySync() as number[][][][];
    for (let image = 0; image < 2; image++)
      for (let top = 0; top < rows; top += 3)
        for (let left = 0; left < columns; left += 3) {
          const places = Array.from({ length: 9 }, (_, i) => [top + Math.floor(i / 3), left + (i % 3)]);
          const none = new Array<number>(32).fill(0);
          const window = places.map(([y, x]) => values[image][y]?.[x] ?? none);
          const grid = { rows: 3, columns: 3 };
          const out = attn.forward(tf.tensor3d([window]), grid, {}, "").arraySync() as number[][][];
          for (const [i, [y, x]] of places.entries())
            if (y < rows && x < columns) out[0][i].forEach((v, c) => void attended.set(v, image, y, x, c));
        }
    const middle = tf.add(tokens, tf.reshape(attended.toTensor(), tokens.shape));
    const expected = tf.add(middle, mlp.forward(norm2.forward(middle)));
    assertClose(seen.get("blocks.0.out")!.dataSync(), expected.dataSync(), 1e-4, `${rows} x ${columns}`);
  }
});

const named = (...names: string[]): StateDict =>
  new Map(names.map((name) => [name, { shape: [1], data: Float32Array.of(1) }]));

test("whose names a file has is seen from their beginnings, and an encoder's go under the detector's whole", () => {
  assert.equal(kindOf(["backbone.net.pos_embed", "roi_heads.x"]), "detectron2");
  for (const part of ["neck.fpn1.0.weight", "rpn_head.rpn_cls.weight", "roi_head.bbox_head.fc_cls.bias"])
    assert.equal(kindOf(["backbone.pos_embed", part]), "mmdetection");
  for (const none of ["neckline.weight", "my.neck.weight", "blocks.0.norm1.weight"])
    assert.equal(kindOf([none]), "encoder");
  const given = [
    "pos_embed",
    "blocks.0.norm1.weight",
    "mlp_norm.weight",
    "cls_token",
    "mask_token",
    "decoder_norm.bias",
    "norm.weight",
    "fc_norm.bias",
    "head.weight",
  ];
  assert.deepEqual(
    [...encoderState(named(...given)).keys()],
    [...["backbone.net.pos_embed", "backbone.net.blocks.0.norm1.weight", "backbone.net.mlp_norm.weight"]],
  );
  assert.deepEqual([...detectorState(named("pos_embed")).state.keys()], ["backbone.net.pos_embed"]);
  assert.equal(detectorState(named("pos_embed")).kind, "encoder");
  const { state, kind } = detectorState(named("backbone.pos_embed", "neck.fpn_convs.1.conv.weight", "other"));
  assert.deepEqual(
    [[...state.keys()], kind],
    [["backbone.net.pos_embed", "backbone.simfp_3.2.weight", "other"], "mmdetection"],
  );
  assert.deepEqual(
    [...detectorState(named("backbone.net.a", "roi_heads.b")).state.keys()],
    ["backbone.net.a", "roi_heads.b"],
  );
});

const small = { ...head, pyramid: 8, rois: { channels: 8, hidden: 12, convolutions: 1 } };

test("a detector's file may hold what no parameter is; numbers that are not finite are refused where they would be used", async () => {
  const model = detector.create({ ...small, encoder: vit });
  const state = await model.stateDict();
  const beside = [
    "pixel_mean",
    "pixel_std",
    "anchor_generator.x",
    "proposal_generator.anchor_generator.cell_anchors.0",
  ];
  const path = join(temporaryFolder("detector"), "model.safetensors");
  const broken = { shape: [2], data: Float32Array.of(1, Number.NaN) };
  await writeSafetensors(path, new Map([...state, ...beside.map((name) => [name, broken] as const)]));
  const report = await detector.loadCheckpoint(model, path);
  assert.deepEqual([...report.unexpected].sort(), beside.sort());
  assert.deepEqual([report.source, report.missing], [path, []]);
  const bias = "roi_heads.box_head.fc1.bias";
  await writeSafetensors(
    path,
    new Map([...state, [bias, { shape: [12], data: new Float32Array(12).fill(Number.POSITIVE_INFINITY) }]]),
  );
  await assert.rejects(
    detector.loadCheckpoint(model, path),
    isLuvitError("non-finite", path, `${bias}: 0 NaN and 12 infinite`),
  );
  await writeSafetensors(path, new Map([...state, ["pixel", broken]]));
  await assert.rejects(
    detector.loadCheckpoint(model, path),
    isLuvitError("key-mismatch", "unexpected: pixel"),
  );
});
