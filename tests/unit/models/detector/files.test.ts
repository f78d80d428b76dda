import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { randomBlock } from "../../../../src/models/baselines";
import * as classifier from "../../../../src/models/classifier";
import { loadDetectorCheckpoint, openDetector } from "../../../../src/models/detector/checkpoints";
import { create, fromPretrained } from "../../../../src/models/detector/create";
import { detectron2Name } from "../../../../src/models/detector/names";
import { mlp, through } from "../../../../src/models/fusion";
import * as lora from "../../../../src/models/lora";
import * as mae from "../../../../src/models/mae";
import { saveCheckpoint } from "../../../../src/models/saveCheckpoint";
import { toy } from "../../../../src/models/vit";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError, randomTensor } from "../../nn/support";
import { perturb } from "../support";

before(() => startBackend({ backend: "wasm" }));

const folder = () => temporaryFolder("detector");
const vit = { ...toy, dim: 16, depth: 2, heads: 2, imageSize: 32 };
const head = {
  classes: 3,
  imageSize: 64,
  windowSize: 3,
  pyramid: 8,
  rois: { channels: 8, hidden: 12, convolutions: 1 },
};

function luvit() {
  const block = randomBlock({
    dim: 24,
    heads: 2,
    hiddenDim: 32,
    normEps: 1e-6,
    ropeTheta: 1e4,
    causal: false,
    rope: false,
    rowOrder: "hf",
  });
  lora.attach(block, { rank: 2 });
  const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  return mae.create({ encoder: vit, fusion: block, decoder });
}

const mapsOf = (model: ReturnType<typeof create>) =>
  tf.tidy(() => model.maps(randomTensor([1, 3, 64, 64], 3)).map((map) => [...map.dataSync()]));

test("a detector that was saved is the same detector, fusion path, LoRA and class names with it", async () => {
  const model = await fromPretrained(luvit(), { ...head, classNames: ["a", "b", "c"] });
  const out = folder();
  await model.save(out);
  const opened = await openDetector(out);
  assert.deepEqual(mapsOf(opened), mapsOf(model));
  assert.deepEqual(opened.describe(), model.describe());
  assert.deepEqual(opened.counts(), model.counts());
});

test("encoder, mappers and LoRA come from a pretrained model; positions by distance begin at 0", async () => {
  const pretrained = luvit();
  const model = await fromPretrained(pretrained, head);
  const [own, theirs] = [await model.stateDict(), await pretrained.stateDict()];
  for (const key of [
    "pos_embed",
    "blocks.1.mlp.fc1.weight",
    "llama_dim_mapper1.weight",
    "llama.layers.0.attention.wq.lora_A.weight",
  ])
    assert.deepEqual(own.get(`backbone.net.${key}`)?.data, theirs.get(key)?.data, key);
  assert.ok(own.get("backbone.net.blocks.0.attn.rel_pos_h")!.data.every((x) => x === 0));
  assert.ok(![...own.keys()].some((key) => key.includes("cls_token") || key.includes("net.norm")));
  assert.equal(model.backbone.net.fusion!.llama!.layers[0].attention.wk.weight.trainable, false);
});

test("files of MAE and of classifiers fill the encoder by their whole names", async () => {
  const pretrained = mae.create({ encoder: vit, decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 } });
  const tuned = await classifier.fromPretrained(pretrained, { classes: 5 });
  const out = folder();
  for (const [name, source] of [
    ["mae.pth", pretrained],
    ["tuned.safetensors", tuned],
  ] as const) {
    await saveCheckpoint(source, join(out, name));
    const model = create({ ...head, encoder: vit, seed: 5 });
    const report = await loadDetectorCheckpoint(model, join(out, name));
    assert.match(String(report), /pyramid and heads are fresh/);
    const key = "blocks.0.attn.qkv.weight";
    const [own, theirs] = [await model.stateDict(), await source.stateDict()];
    assert.deepEqual(own.get(`backbone.net.${key}`)?.data, theirs.get(key)?.data);
  }
});

test("a file that lacks a block is refused by the names that are missing", async () => {
  const out = join(folder(), "small.safetensors");
  const small = mae.create({
    encoder: { ...vit, depth: 1 },
    decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 },
  });
  await saveCheckpoint(small, out);
  const model = create({ ...head, encoder: vit });
  await assert.rejects(
    loadDetectorCheckpoint(model, out),
    isLuvitError("key-mismatch", "backbone.net.blocks.1.norm1"),
  );
});

const mmdetection: Record<string, string> = {
  "backbone.net.pos_embed": "backbone.pos_embed",
  "backbone.net.patch_embed.proj.weight": "backbone.patch_embed.proj.weight",
  "backbone.net.blocks.1.attn.rel_pos_w": "backbone.blocks.1.attn.rel_pos_w",
  "backbone.simfp_2.0.weight": "neck.fpn1.0.weight",
  "backbone.simfp_2.1.bias": "neck.fpn1.1.bias",
  "backbone.simfp_2.3.bias": "neck.fpn1.3.bias",
  "backbone.simfp_3.0.bias": "neck.fpn2.0.bias",
  "backbone.simfp_2.4.weight": "neck.lateral_convs.0.conv.weight",
  "backbone.simfp_4.0.norm.bias": "neck.lateral_convs.2.norm_layer.bias",
  "backbone.simfp_5.1.weight": "neck.lateral_convs.3.conv.weight",
  "backbone.simfp_5.2.norm.weight": "neck.fpn_convs.3.norm_layer.weight",
  "proposal_generator.rpn_head.conv.conv1.bias": "rpn_head.rpn_conv.1.conv.bias",
  "proposal_generator.rpn_head.objectness_logits.weight": "rpn_head.rpn_cls.weight",
  "proposal_generator.rpn_head.anchor_deltas.bias": "rpn_head.rpn_reg.bias",
  "roi_heads.box_head.conv4.weight": "roi_head.bbox_head.shared_convs.3.conv.weight",
  "roi_heads.box_head.conv1.norm.bias": "roi_head.bbox_head.shared_convs.0.norm_layer.bias",
  "roi_heads.box_head.fc1.weight": "roi_head.bbox_head.shared_fcs.0.weight",
  "roi_heads.box_predictor.cls_score.bias": "roi_head.bbox_head.fc_cls.bias",
  "roi_heads.box_predictor.bbox_pred.weight": "roi_head.bbox_head.fc_reg.weight",
  "roi_heads.mask_head.mask_fcn2.weight": "roi_head.mask_head.convs.1.conv.weight",
  "roi_heads.mask_head.mask_fcn1.norm.weight": "roi_head.mask_head.convs.0.norm_layer.weight",
  "roi_heads.mask_head.deconv.weight": "roi_head.mask_head.upsample.weight",
  "roi_heads.mask_head.predictor.bias": "roi_head.mask_head.conv_logits.bias",
};

test("mmdetection's names are read as detectron2's", () => {
  for (const [name, theirs] of Object.entries(mmdetection)) assert.equal(detectron2Name(theirs), name);
});

test("a file with a detector's own names is loaded whole, and one that lacks a head is refused", async () => {
  const [from, to] = [create({ ...head, encoder: vit, seed: 1 }), create({ ...head, encoder: vit, seed: 2 })];
  const state = await from.stateDict();
  const path = join(folder(), "model.safetensors");
  await writeSafetensors(path, state);
  await loadDetectorCheckpoint(to, path);
  assert.deepEqual(mapsOf(to), mapsOf(from));
  for (const key of state.keys()) if (key.includes("mask_head.predictor")) state.delete(key);
  await writeSafetensors(path, state);
  await assert.rejects(
    loadDetectorCheckpoint(to, path),
    isLuvitError("key-mismatch", "roi_heads.mask_head.predictor.weight"),
  );
});

test("sizes that cannot be are refused together", () => {
  const make = () => create({ ...head, encoder: vit, imageSize: 68, globalBlocks: [2] });
  assert.throws(make, isLuvitError("bad-argument", "imageSize", "globalBlocks"));
});

test("all of a pretrained encoder comes over, whatever stands between its mappers", async () => {
  const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  const plans = [
    mlp(6, { activation: "gelu-norm" }),
    through(luvit().encoder.fusion!.llama!, { mapperBias: true }),
  ];
  for (const fusion of plans) {
    const pretrained = mae.create({ encoder: vit, fusion, decoder });
    perturb(pretrained);
    const out = join(folder(), "mae.safetensors");
    await saveCheckpoint(pretrained, out);
    const read = create({ ...head, encoder: vit, fusion, seed: 5 });
    await loadDetectorCheckpoint(read, out);
    const made = await fromPretrained(pretrained, head);
    const theirs = await pretrained.stateDict();
    for (const model of [read, made]) {
      const own = await model.stateDict();
      for (const [key, { data }] of theirs) {
        if (/^(cls_token|mask_token|norm|decoder\w*)(\.|$)/.test(key)) continue;
        assert.deepEqual(own.get(`backbone.net.${key}`)?.data, data, key);
      }
    }
  }
});
