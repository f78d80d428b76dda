import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { llavit } from "../../../../src/models";
import { isUnused, llavaKey } from "../../../../src/models/llavit/keys";
import { llavaSizes } from "../../../../src/models/llavit/llavaConfig";
import { answerTargets, NOT_COUNTED } from "../../../../src/models/llavit/targets";
import { channelsBeside } from "../../../../src/models/preprocessorConfig";
import { byRange } from "../../../../src/models/visionQkv";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { assertClose, isLuvitError, repository } from "../../nn/support";

before(() => startBackend());

const fixture = join(repository, "tests", "unit", "models", "llavit", "fixtures", "llava");
const clipMean = [0.48145466, 0.4578275, 0.40821073];
const clipStd = [0.26862954, 0.26130258, 0.27577711];

test("images for a LLaVA are prepared with CLIP's mean and deviation, or those beside it, and cut to their middle whole", async () => {
  const usual = { size: 12, resize: "shorterSide", cropRatio: 1, interpolation: "bicubic" };
  const opened = await llavit.open(fixture);
  assert.deepEqual(opened.preprocessing, { ...usual, mean: clipMean, std: clipStd });
  assert.deepEqual(opened.template, { before: "USER: ", between: "\n", after: " ASSISTANT:", end: "</s>" });
  assert.deepEqual([opened.visionMask, opened.patches], ["causal", 9]);
  const own = join(temporaryFolder("llava"), "own");
  cpSync(fixture, own, { recursive: true });
  writeFileSync(join(own, "preprocessor_config.json"), JSON.stringify({ image_mean: [0.1, 0.2, 0.3] }));
  assert.deepEqual((await llavit.open(own)).preprocessing, { ...usual, mean: [0.1, 0.2, 0.3], std: clipStd });
});

test("channels are what the file beside the weights says, each by itself, and three numbers", async () => {
  const usual = { mean: [1, 2, 3], std: [4, 5, 6] };
  const beside = (value?: object) => {
    const folder = temporaryFolder("channels");
    if (value) writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(value));
    return channelsBeside(folder, usual);
  };
  assert.deepEqual(await beside(), usual);
  assert.deepEqual(await beside({ size: 3 }), usual);
  assert.deepEqual(await beside({ image_mean: [7, 8, 9] }), { ...usual, mean: [7, 8, 9] });
  assert.deepEqual(await beside({ image_std: [7, 8, 9] }), { ...usual, std: [7, 8, 9] });
  for (const wrong of [
    { image_mean: [1, 2] },
    { image_std: [1, 2, "3"] },
    { image_mean: 0.5 },
    { image_std: null },
    { image_std: [1, 2, 3, 4] },
  ])
    await assert.rejects(
      beside(wrong),
      isLuvitError("bad-file", `${Object.keys(wrong)[0]}: expected three numbers`),
    );
});

test("names of a LLaVA are those of its tower, projector and language model, in every layout", () => {
  const tower: Record<string, string> = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "patch_embedding.weight",
    "embeddings.position_embedding.weight": "position_embedding.weight",
    "pre_layrnorm.bias": "pre_layrnorm.bias",
    "encoder.layers.3.self_attn.q_proj.weight": "layers.3.self_attn.q_proj.weight",
  };
  for (const around of [
    "vision_tower.",
    "vision_tower.vision_model.",
    "model.vision_tower.",
    "model.vision_tower.vision_tower.vision_model.",
  ])
    for (const [theirs, own] of Object.entries(tower))
      assert.equal(llavaKey(around + theirs), `vision_tower.${own}`);
  const others: Record<string, string | undefined> = {
    "multi_modal_projector.linear_1.weight": "mm_projector.0.weight",
    "model.multi_modal_projector.linear_2.bias": "mm_projector.2.bias",
    "model.mm_projector.0.bias": "mm_projector.0.bias",
    "mm_projector.2.weight": "mm_projector.2.weight",
    "language_model.model.embed_tokens.weight": "tok_embeddings.weight",
    "model.language_model.layers.1.mlp.down_proj.weight": "layers.1.feed_forward.w2.weight",
    "language_model.lm_head.weight": "output.weight",
    "lm_head.weight": "output.weight",
    "vision_tower.encoder.norm.weight": undefined,
    "multi_modal_projector.linear_3.weight": undefined,
    "audio_tower.weight": undefined,
  };
  for (const [theirs, own] of Object.entries(others)) assert.equal(llavaKey(theirs), own, theirs);
  const unused = [
    "vision_tower.post_layernorm.weight",
    "model.vision_tower.vision_tower.vision_model.post_layernorm.bias",
    "vision_tower.vision_model.embeddings.position_ids",
    "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
  ];
  for (const name of unused) assert.ok(isUnused(name), name);
  for (const name of [
    "vision_tower.pre_layrnorm.weight",
    "vision_tower.embeddings.position_ids_2",
    "post_layernorm.weight",
    ...Object.keys(others),
  ])
    assert.ok(!isUnused(name), name);
});

const shapes = (more: Record<string, number[]> = {}) => {
  const all: Record<string, number[]> = {
    "vision_tower.patch_embedding.weight": [24, 3, 4, 4],
    "vision_tower.layers.0.mlp.fc1.weight": [60, 24],
    "vision_tower.layers.1.mlp.fc1.weight": [60, 24],
    "tok_embeddings.weight": [50, 64],
    "layers.0.feed_forward.w1.weight": [90, 64],
    "layers.0.attention.wk.weight": [16, 64],
    "layers.2.attention.wk.weight": [16, 64],
    ...more,
  };
  return new Map(Object.entries(all).map(([name, shape]) => [name, { shape }]));
};
const bare = {
  model_type: "llava",
  vision_config: { model_type: "clip_vision_model" },
  text_config: { model_type: "llama" },
};

test("what a LLaVA's config leaves out is transformers' default, or read from the tensors", () => {
  const { clip, language, layers } = llavaSizes("config.json", bare, shapes());
  assert.deepEqual(clip, {
    ...{ imageSize: 224, patchSize: 32, dim: 24, depth: 2, heads: 12, hiddenDim: 60, normEps: 1e-5 },
    activation: "quick-gelu",
  });
  assert.deepEqual(layers, [1], "the last but one");
  const { heads, headDim, kvHeads, hiddenDim, normEps, ropeTheta, depth, vocabulary, ...switches } = language;
  assert.deepEqual(
    { heads, headDim, kvHeads, hiddenDim, normEps, ropeTheta, depth, vocabulary },
    {
      ...{ heads: 32, headDim: 2, kvHeads: 8, hiddenDim: 90, normEps: 1e-6, ropeTheta: 10000 },
      ...{ depth: 2, vocabulary: 50 },
    },
  );
  assert.deepEqual(
    [switches.causal, switches.rope, switches.rowOrder, switches.tiedEmbeddings, switches.dim],
    [true, true, "hf", true, 64],
  );
  const output = llavaSizes("config.json", bare, shapes({ "output.weight": [50, 64] }));
  assert.ok(!("tiedEmbeddings" in output.language));
});

test("what a LLaVA's config says is taken: sizes, activation, layers from either end", () => {
  const vision = {
    ...{
      model_type: "clip_vision_model",
      hidden_act: "gelu",
      image_size: 20,
      patch_size: 5,
      hidden_size: 16,
    },
    ...{ num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 70, layer_norm_eps: 1e-3 },
  };
  const of = (more: object) =>
    llavaSizes("config.json", { ...bare, vision_config: vision, ...more } as never, shapes());
  assert.deepEqual(of({}).clip, {
    ...{
      imageSize: 20,
      patchSize: 5,
      dim: 16,
      depth: 2,
      heads: 4,
      hiddenDim: 70,
      normEps: 1e-3,
      activation: "gelu",
    },
  });
  assert.deepEqual(of({ vision_feature_layer: -1 }).layers, [2]);
  assert.deepEqual(of({ vision_feature_layer: 0 }).layers, [0]);
  assert.deepEqual(of({ vision_feature_layer: [-3, 1, 2] }).layers, [0, 1, 2]);
  for (const wrong of [-4, 3, 0.5, [], [1, 3]])
    assert.throws(
      () => of({ vision_feature_layer: wrong }),
      isLuvitError("bad-file", "vision_feature_layer: expected blocks of 2"),
    );
  for (const [name, value] of [
    ["projector_hidden_act", "gelu"],
    ["multimodal_projector_bias", true],
    ["vision_feature_select_strategy", "default"],
  ] as const)
    assert.deepEqual(of({ [name]: value }).layers, [1]);
  for (const [name, value] of [
    ["projector_hidden_act", "relu"],
    ["multimodal_projector_bias", false],
    ["vision_feature_select_strategy", "full"],
  ] as const)
    assert.throws(() => of({ [name]: value }), isLuvitError("bad-file", name));
});

test("labels are answered by the token before, the first of a sequence by none; N / counted is each one's weight", () => {
  const labels = [
    [7, NOT_COUNTED, 3, 1],
    [NOT_COUNTED, 0, NOT_COUNTED, 2],
  ];
  const exact = answerTargets(labels, 4);
  assert.deepEqual([...exact.rows], [1, 2, 4, 6]);
  assert.deepEqual([...exact.targets], [0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
  const filled = answerTargets(labels, 4, 5);
  assert.deepEqual([...filled.rows], [1, 2, 4, 6, 0]);
  assertClose(filled.targets.subarray(0, 4), [0, 0, 0, 5 / 4], 1e-6);
  assert.ok(filled.targets.subarray(16).every((x) => x === 0));
  for (const [wrong, ...texts] of [
    [[[1, 4]], "label 4 is no token of 4"],
    [[[1, -1]], "label -1"],
    [[[1, 0.5]], "label 0.5"],
    [[[1, NOT_COUNTED]], "0 labels counted, expected 1 to 0"],
  ] as [number[][], string][])
    assert.throws(() => answerTargets(wrong, 4), isLuvitError("bad-argument", ...texts));
  assert.throws(
    () => answerTargets(labels, 4, 3),
    isLuvitError("bad-argument", "4 labels counted, expected 1 to 3"),
  );
});

test("tokens within ranges take one way and the others another, in order, each sequence by its own", () => {
  const x = tf.reshape(tf.range(1, 13), [2, 6, 1]);
  const [text, image] = [(part: Tensor) => tf.neg(part), (part: Tensor) => tf.add(part, 100)];
  const ways = (ranges: Parameters<typeof byRange>[1]) => [...byRange(x, ranges, text, image).dataSync()];
  const of = (inside: readonly number[]) =>
    Array.from({ length: 12 }, (_, i) => (inside.includes(i) ? i + 101 : -i - 1));
  assert.deepEqual(
    ways([
      { start: 1, end: 3 },
      { start: 4, end: 5 },
    ]),
    of([1, 2, 4, 7, 8, 10]),
  );
  assert.deepEqual(ways([{ start: 0, end: 6 }]), of([...Array(12).keys()]));
  assert.deepEqual(ways([{ start: 4, end: 9 }]), of([4, 5, 10, 11]), "no further than there are tokens");
  assert.deepEqual(ways([]), of([]));
  assert.deepEqual(ways([[{ start: 0, end: 2 }], [{ start: 5, end: 6 }]]), of([0, 1, 11]));
  assert.deepEqual(ways([[{ start: 5, end: 9 }], []]), of([5]), "and never into the next sequence");
});
