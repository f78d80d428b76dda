import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { isPlainViT, isTower, withOfficialNames } from "../../../src/models/officialNames";
import { fitPositionTable } from "../../../src/models/positions";
import { resizePositionTable } from "../../../src/nn";
import { randomArray } from "../nn/support";
import { tinyViT } from "./support";

before(() => startBackend());

const of = (shape: number[], value = 1): HostTensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});

/** Names of transformers (DINOv2, ViT) and of timm, by those of DINOv2's own code. */
const dino: Record<string, string> = {
  "embeddings.cls_token": "cls_token",
  "embeddings.register_tokens": "register_tokens",
  "embeddings.position_embeddings": "pos_embed",
  "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
  "encoder.layer.10.attention.output.dense.bias": "blocks.10.attn.proj.bias",
  "encoder.layer.0.layer_scale1.lambda1": "blocks.0.ls1.gamma",
  "encoder.layer.3.layer_scale2.lambda1": "blocks.3.ls2.gamma",
  "encoder.layer.3.mlp.weights_in.weight": "blocks.3.mlp.w12.weight",
  "encoder.layer.3.mlp.weights_out.bias": "blocks.3.mlp.w3.bias",
  "encoder.layer.3.norm1.weight": "blocks.3.norm1.weight",
  "encoder.layer.3.norm2.bias": "blocks.3.norm2.bias",
  "encoder.layer.3.mlp.fc1.weight": "blocks.3.mlp.fc1.weight",
  "encoder.layer.3.mlp.fc2.bias": "blocks.3.mlp.fc2.bias",
  "layernorm.weight": "norm.weight",
  reg_token: "register_tokens",
  "blocks.1.attn.proj.weight": "blocks.1.attn.proj.weight",
  "head.weight": "head.weight",
};

test("each name of transformers' DINOv2 is that of DINOv2's own code, and the file's name is remembered where it is another", () => {
  for (const [theirs, own] of Object.entries(dino)) {
    const { tensors, fileNames, leftOut } = withOfficialNames(new Map([[theirs, of([2])]]));
    assert.deepEqual([...tensors.keys()], [own], theirs);
    assert.deepEqual([...fileNames], theirs === own ? [] : [[own, theirs]]);
    assert.deepEqual(leftOut, []);
  }
});

const plain: Record<string, string> = {
  "encoder.layer.0.layernorm_before.weight": "blocks.0.norm1.weight",
  "encoder.layer.2.layernorm_after.bias": "blocks.2.norm2.bias",
  "encoder.layer.2.intermediate.dense.weight": "blocks.2.mlp.fc1.weight",
  "encoder.layer.2.output.dense.bias": "blocks.2.mlp.fc2.bias",
  "encoder.layer.2.attention.output.dense.bias": "blocks.2.attn.proj.bias",
  "layernorm.bias": "norm.bias",
};

test("transformers' ViT has names of its own, alone or within a classifier, whose pooling and heads are left out", () => {
  for (const prefix of ["", "vit."]) {
    const file: StateDict = new Map(Object.keys(plain).map((name) => [prefix + name, of([2])]));
    for (const name of [
      `${prefix}pooler.dense.weight`,
      "classifier.bias",
      "decoder.0.weight",
      "embeddings.mask_token",
    ])
      file.set(name, of([1]));
    assert.ok(isPlainViT(file));
    const { tensors, leftOut } = withOfficialNames(file);
    assert.deepEqual([...tensors.keys()], Object.values(plain));
    assert.deepEqual(leftOut, [
      "pooler.dense.weight",
      "classifier.bias",
      "decoder.0.weight",
      "embeddings.mask_token",
    ]);
  }
  assert.ok(!isPlainViT(new Map([["encoder.layer.1.layernorm_before.weight", of([1])]])));
  assert.ok(!isPlainViT(new Map([["my.encoder.layer.0.layernorm_before.weight", of([1])]])));
  const other = withOfficialNames(
    new Map([
      ["classifier.bias", of([1])],
      ["vit.x", of([1])],
    ]),
  );
  assert.deepEqual(
    [[...other.tensors.keys()], other.leftOut],
    [["classifier.bias", "vit.x"], []],
    "of no ViT nothing is",
  );
});

test("q, k and v become one, weights and biases, in that order; where one is missing the rest is what its shape says", () => {
  for (const [prefix, parts] of [
    ["encoder.layer.1.attention.attention.", ["query", "key", "value"]],
    ["encoder.layers.1.self_attn.", ["q_proj", "k_proj", "v_proj"]],
  ] as const) {
    const isOfTower = parts[0] === "q_proj";
    for (const around of isOfTower ? ["", "vision_model."] : [""]) {
      const file: StateDict = new Map();
      if (isOfTower) file.set(`${around}embeddings.position_embedding.weight`, of([5, 2]));
      for (const [i, part] of [2, 0, 1].entries()) {
        file.set(`${around}${prefix}${parts[part]}.weight`, of([2, 2], part));
        file.set(`${around}${prefix}${parts[part]}.bias`, of([2], part));
        assert.ok(i < 3);
      }
      const { tensors, fileNames } = withOfficialNames(file);
      const name = "blocks.1.attn.qkv";
      assert.deepEqual(
        [tensors.get(`${name}.weight`)!.shape, tensors.get(`${name}.bias`)!.shape],
        [[6, 2], [6]],
      );
      assert.deepEqual([...tensors.get(`${name}.bias`)!.data], [0, 0, 1, 1, 2, 2]);
      assert.deepEqual([...tensors.get(`${name}.weight`)!.data], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
      assert.equal(
        fileNames.get(`${name}.bias`),
        parts.map((part) => `${around}${prefix}${part}.bias`).join(", "),
      );
      file.delete(`${around}${prefix}${parts[1]}.bias`);
      assert.deepEqual(withOfficialNames(file).tensors.get(`${name}.bias`)!.shape, [4]);
    }
  }
});

const tower: Record<string, string> = {
  "embeddings.class_embedding": "cls_token",
  "embeddings.position_embedding.weight": "pos_embed",
  "embeddings.patch_embedding.bias": "patch_embed.proj.bias",
  "pre_layrnorm.weight": "norm_pre.weight",
  "post_layernorm.bias": "norm.bias",
  "encoder.layers.11.layer_norm1.weight": "blocks.11.norm1.weight",
  "encoder.layers.0.layer_norm2.bias": "blocks.0.norm2.bias",
  "encoder.layers.0.self_attn.out_proj.weight": "blocks.0.attn.proj.weight",
  "encoder.layers.0.mlp.fc1.weight": "blocks.0.mlp.fc1.weight",
  "encoder.layers.0.mlp.fc2.bias": "blocks.0.mlp.fc2.bias",
  "head.probe": "attn_pool.latent",
  "head.layernorm.weight": "attn_pool.norm.weight",
  "head.mlp.fc1.bias": "attn_pool.mlp.fc1.bias",
  "head.attention.out_proj.weight": "attn_pool.proj.weight",
};

test("each name of transformers' CLIP and SigLIP is timm's, of the vision tower alone", () => {
  for (const prefix of ["", "vision_model."]) {
    const file: StateDict = new Map(Object.keys(tower).map((name) => [prefix + name, of([4, 2])]));
    file.set(`${prefix}embeddings.class_embedding`, of([2]));
    file.set(`${prefix}embeddings.position_ids`, of([1, 5]));
    file.set(
      prefix === "" ? "visual_projection.weight" : "text_model.embeddings.position_embedding.weight",
      of([2]),
    );
    if (prefix !== "") file.set("logit_scale", of([1]));
    assert.ok(isTower(file));
    const { tensors, fileNames, leftOut } = withOfficialNames(file);
    assert.deepEqual([...tensors.keys()].sort(), Object.values(tower).sort());
    for (const [theirs, own] of Object.entries(tower)) assert.equal(fileNames.get(own), prefix + theirs);
    assert.deepEqual(
      [tensors.get("cls_token")!.shape, tensors.get("pos_embed")!.shape],
      [
        [1, 1, 2],
        [1, 4, 2],
      ],
    );
    assert.deepEqual(tensors.get("norm_pre.weight")!.shape, [4, 2], "others keep their axes");
    const left =
      prefix === ""
        ? ["embeddings.position_ids", "visual_projection.weight"]
        : [
            "vision_model.embeddings.position_ids",
            "text_model.embeddings.position_embedding.weight",
            "logit_scale",
          ];
    assert.deepEqual(leftOut, left);
  }
  for (const name of [
    "embeddings.position_embedding",
    "text_model.embeddings.position_embedding.weight",
    "pos_embed",
  ])
    assert.ok(!isTower(new Map([[name, of([1])]])), name);
});

test("a tensor that cannot be read stays one, whatever its name becomes", () => {
  const broken = { ...of([2]), problem: "complex64" };
  const file: StateDict = new Map([
    ["embeddings.position_embedding.weight", of([5, 2])],
    ["embeddings.class_embedding", broken],
  ]);
  assert.equal(withOfficialNames(file).tensors.get("cls_token"), broken);
});

test("the one projection of a pool is its query's rows, then those of keys and values", () => {
  const file: StateDict = new Map([
    ["embeddings.position_embedding.weight", of([4, 2])],
    [
      "head.attention.in_proj_weight",
      { shape: [6, 2], data: Float32Array.from({ length: 12 }, (_, i) => i) },
    ],
    ["head.attention.in_proj_bias", { shape: [6], data: Float32Array.from({ length: 6 }, (_, i) => i) }],
  ]);
  const { tensors, fileNames } = withOfficialNames(file);
  const numbers = (name: string) => [tensors.get(name)!.shape, [...tensors.get(name)!.data]];
  assert.deepEqual(numbers("attn_pool.q.weight"), [
    [2, 2],
    [0, 1, 2, 3],
  ]);
  assert.deepEqual(numbers("attn_pool.kv.weight"), [
    [4, 2],
    [4, 5, 6, 7, 8, 9, 10, 11],
  ]);
  assert.deepEqual(numbers("attn_pool.q.bias"), [[2], [0, 1]]);
  assert.deepEqual(numbers("attn_pool.kv.bias"), [[4], [2, 3, 4, 5]]);
  assert.equal(fileNames.get("attn_pool.kv.bias"), "head.attention.in_proj_bias");
});

test("a table of positions is fitted to the model's grid, with a class token's row where it has one, by the rule asked for", () => {
  const config = { ...tinyViT, imageSize: 16 };
  const table = { shape: [1, 10, 4], data: randomArray(40) };
  const bare = { shape: [1, 9, 4], data: randomArray(36) };
  const size = { rows: 4, columns: 4 };
  for (const rule of ["mae", "timm", "dino"] as const) {
    assert.deepEqual(fitPositionTable(table, config, rule), resizePositionTable(table, size, 1, rule));
    const withoutToken = fitPositionTable(bare, { ...config, classToken: false }, rule);
    assert.deepEqual(withoutToken, resizePositionTable(bare, size, 0, rule));
  }
  assert.deepEqual(fitPositionTable(table, config), resizePositionTable(table, size, 1, "mae"));
});
