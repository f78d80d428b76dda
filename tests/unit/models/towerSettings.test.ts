import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { towerSettings } from "../../../src/models/towerSettings";
import { assertRejects, temporaryFolder } from "../train/support";

/*
 * Numbers from the sources: transformers' CLIPVisionConfig, SiglipVisionConfig and ViTConfig, OpenAI's and OpenCLIP's
 * normalization, timm's registry of SigLIPs with an approximated GELU.
 */

const named = (...names: string[]): StateDict =>
  new Map(names.map((name) => [name, { shape: [1], data: new Float32Array(1) }]));
const none = named();
const timmClip = { file: none, official: named("norm_pre.weight") };
const timmSiglip = { file: none, official: named("attn_pool.latent") };
const hfClip = {
  file: named("vision_model.embeddings.position_embedding.weight"),
  official: named("norm_pre.weight"),
};
const hfSiglip = { file: named("embeddings.position_embedding.weight"), official: named("attn_pool.latent") };
const hfViT = { file: named("vit.encoder.layer.0.layernorm_before.weight"), official: none };

const openai = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

function settings(
  tensors: typeof timmClip,
  config?: object,
  activation?: "gelu" | "quick-gelu" | "gelu-tanh",
) {
  const path = config && join(temporaryFolder(), "config.json");
  if (path) writeFileSync(path, JSON.stringify(config));
  return towerSettings("model", tensors, path, activation);
}

test("other ViTs have nothing of the kind", async () => {
  assert.equal(
    await settings({ file: named("blocks.0.attn.qkv.weight"), official: named("blocks.0.attn.qkv.weight") }),
    undefined,
  );
});

test("without a config a SigLIP and a ViT are what all of them are, a CLIP has to be told", async () => {
  assert.deepEqual(await settings(hfSiglip), { mlp: "gelu-tanh", normEps: 1e-6, ...halves });
  assert.deepEqual(await settings(hfViT), { mlp: "gelu", normEps: 1e-12, ...halves });
  assert.deepEqual(await settings(hfClip, undefined, "quick-gelu"), {
    mlp: "quick-gelu",
    normEps: 1e-5,
    ...openai,
  });
  for (const clip of [hfClip, timmClip])
    await assertRejects(
      settings(clip),
      "bad-argument",
      "model: no config.json beside it says which activation",
      '"quick-gelu" } for OpenAI',
    );
  await assertRejects(
    settings(hfSiglip, undefined, "gelu"),
    "bad-argument",
    "its config says that it computes gelu-tanh, asked for is gelu",
  );
});

test("a config of transformers says heads, activation and epsilon, by itself or within that of both towers", async () => {
  assert.deepEqual(
    await settings(hfClip, { model_type: "clip", vision_config: { num_attention_heads: 3 } }),
    { heads: 3, mlp: "quick-gelu", normEps: 1e-5, ...openai },
  );
  assert.deepEqual(
    await settings(hfClip, { model_type: "clip_vision_model", hidden_act: "gelu", layer_norm_eps: 1e-3 }),
    { heads: 12, mlp: "gelu", normEps: 1e-3, ...openai },
  );
  assert.deepEqual(await settings(hfSiglip, { hidden_act: "gelu_new" }), {
    heads: 12,
    mlp: "gelu-tanh",
    normEps: 1e-6,
    ...halves,
  });
  assert.deepEqual(await settings(hfViT, { model_type: "vit" }), {
    heads: 12,
    mlp: "gelu",
    normEps: 1e-12,
    ...halves,
  });
  await assertRejects(
    settings(hfClip, { model_type: "siglip", hidden_act: "relu" }),
    "bad-file",
    "no vision tower that can be opened",
    "model_type",
    "hidden_act",
  );
  await assertRejects(
    settings(hfClip, { model_type: "clip", vision_config: { model_type: "siglip_vision_model" } }),
    "bad-file",
    "model_type",
  );
});

test("timm's config says the activation by the model's name, and how images are normalized", async () => {
  const of = async (tensors: typeof timmClip, architecture: string) =>
    (await settings(tensors, { architecture }))!.mlp;
  assert.equal(await of(timmClip, "vit_base_patch16_clip_quickgelu_224"), "quick-gelu");
  assert.equal(await of(timmClip, "vit_base_patch16_clip_224"), "gelu");
  for (const name of [
    "vit_base_patch32_siglip_256",
    "vit_large_patch16_siglip_512",
    "vit_so400m_patch16_siglip_256",
    "vit_giantopt_patch16_siglip_256",
  ])
    assert.equal(await of(timmSiglip, name), "gelu-tanh", name);
  for (const name of [
    "vit_base_patch16_siglip_224",
    "vit_large_patch16_siglip_256",
    "vit_so400m_patch14_siglip_224",
  ])
    assert.equal(await of(timmSiglip, name), "gelu", name);
  const own = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };
  const with_ = (pretrained_cfg: object) => settings(timmClip, { architecture: "x", pretrained_cfg });
  assert.deepEqual(await with_(own), { mlp: "gelu", normEps: 1e-5, ...own });
  for (const wrong of [
    { mean: own.mean },
    { ...own, std: [0.4, 0.5] },
    { ...own, mean: [0, 0.1, 0.2] },
    { ...own, std: ["a", 1, 1] },
  ])
    assert.deepEqual(await with_(wrong), { mlp: "gelu", normEps: 1e-5, ...openai });
  assert.deepEqual(await settings(timmSiglip, { pretrained_cfg: own }, "gelu"), {
    mlp: "gelu",
    normEps: 1e-6,
    ...own,
  });
});
