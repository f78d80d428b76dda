import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { HostTensor } from "../../../../src/core/hostTensor";
import { Rng } from "../../../../src/core/rng";
import {
  convertRowOrder,
  detectLlamaNaming,
  ggufToMetaName,
  hfToMetaName,
  isComputedLlamaTensor,
  metaToGgufName,
  metaToHfName,
  permuteRowsHfToMeta,
  permuteRowsMetaToHf,
} from "../../../../src/io/llama/keymap";
import { assertRejects, fixtures, randomTensor, tinyLanguageModel, tinyLlama } from "../support";

const pairs = readFileSync(join(fixtures, "llama-7b-keys.txt"), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(" "));

test("the names of LLaMA-7B map one to one in both directions", () => {
  assert.equal(pairs.length, 291);
  for (const [meta, hf] of pairs) {
    assert.equal(metaToHfName(meta), hf);
    assert.equal(hfToMetaName(hf), meta);
  }
  assert.equal(new Set(pairs.map(([meta]) => metaToHfName(meta))).size, pairs.length);
});

test("GGUF's names are llama.cpp's, block by block, and lead back to the same", () => {
  const block: [gguf: string, meta: string][] = [
    ["attn_q.weight", "attention.wq.weight"],
    ["attn_k.weight", "attention.wk.weight"],
    ["attn_v.weight", "attention.wv.weight"],
    ["attn_output.weight", "attention.wo.weight"],
    ["attn_norm.weight", "attention_norm.weight"],
    ["attn_q_norm.weight", "attention.q_norm.weight"],
    ["attn_k_norm.weight", "attention.k_norm.weight"],
    ["ffn_norm.weight", "ffn_norm.weight"],
    ["ffn_gate.weight", "feed_forward.w1.weight"],
    ["ffn_up.weight", "feed_forward.w3.weight"],
    ["ffn_down.weight", "feed_forward.w2.weight"],
    ["attn_q.bias", "attention.wq.bias"],
  ];
  const all = [
    ...block.map(([gguf, meta]) => [`blk.31.${gguf}`, `layers.31.${meta}`]),
    ...[
      ["token_embd.weight", "tok_embeddings.weight"],
      ["output_norm.weight", "norm.weight"],
    ],
    ["output.weight", "output.weight"],
  ];
  for (const [gguf, meta] of all) {
    assert.equal(ggufToMetaName(gguf), meta);
    assert.equal(metaToGgufName(meta), gguf);
  }
  const own = ["layers.0.attention.vision_wq.weight", "rope_freqs.weight", "blk.0.attn_q"];
  for (const name of own) assert.equal(metaToGgufName(name) ?? ggufToMetaName(name), undefined, name);
  assert.equal(detectLlamaNaming(["token_embd.weight", "blk.0.ffn_up.weight"]), "gguf");
});

test("LoRA names map along with their modules", () => {
  const hf = "model.layers.31.self_attn.q_proj.lora_A.weight";
  assert.equal(hfToMetaName(hf), "layers.31.attention.wq.lora_A.weight");
  assert.equal(metaToHfName("layers.31.attention.wq.lora_A.weight"), hf);
});

test("names that are not LLaMA's map to nothing", () => {
  for (const name of [
    "blocks.0.attn.qkv.weight",
    "layers.0.self_attn.q_proj",
    "model.layers.x.mlp.up_proj.weight",
    "",
  ]) {
    assert.equal(hfToMetaName(name), undefined, name);
    assert.equal(metaToHfName(name), undefined, name);
  }
});

test("the naming scheme is recognized, also without the prefix of the language model", () => {
  assert.equal(detectLlamaNaming(pairs.map(([meta]) => meta)), "meta");
  assert.equal(detectLlamaNaming(pairs.map(([, hf]) => hf)), "hf");
  assert.equal(detectLlamaNaming(pairs.map(([, hf]) => hf.replace(/^model\./, ""))), "hf");
  assert.equal(hfToMetaName("layers.3.mlp.up_proj.weight"), "layers.3.feed_forward.w3.weight");
  assert.equal(detectLlamaNaming(["cls_token", "blocks.0.norm1.weight"]), undefined);
});

test("rotary tables are not weights", () => {
  assert.ok(isComputedLlamaTensor("rope.freqs"));
  assert.ok(isComputedLlamaTensor("model.layers.0.self_attn.rotary_emb.inv_freq"));
  assert.ok(isComputedLlamaTensor("blk.3.attn_rot_embd"));
  for (const name of [
    "norm.weight",
    "rope.freqs.weight",
    "myrope.freqs",
    "rope_freqs.weight",
    "rotary_emb.inv_freq.x",
  ])
    assert.ok(!isComputedLlamaTensor(name), name);
});

test("row h*d + j*d/2 + i of Hugging Face is row h*d + 2i + j of Meta", () => {
  const [heads, headDim] = [3, 8];
  const hf: HostTensor = { shape: [24, 1], data: Float32Array.from({ length: 24 }, (_, i) => i) };
  const meta = permuteRowsHfToMeta(hf, heads).data;
  for (let h = 0; h < heads; h++) {
    for (let j = 0; j < 2; j++) {
      for (let i = 0; i < headDim / 2; i++) {
        assert.equal(meta[h * headDim + 2 * i + j], h * headDim + (j * headDim) / 2 + i);
      }
    }
  }
});

test("the two permutations undo each other, for weights and lora_B", () => {
  const rng = new Rng(5);
  for (const tensor of [randomTensor(rng, [24, 6]), randomTensor(rng, [24, 2]), randomTensor(rng, [24])]) {
    assert.deepEqual(permuteRowsMetaToHf(permuteRowsHfToMeta(tensor, 3), 3).data, tensor.data);
    assert.deepEqual(permuteRowsHfToMeta(permuteRowsMetaToHf(tensor, 3), 3).data, tensor.data);
  }
});

test("changing the row order permutes q and k with their own head counts and nothing else", () => {
  const config = { ...tinyLlama, heads: 4, kvHeads: 2 };
  const model = tinyLanguageModel(2, config);
  const meta = convertRowOrder(model, config, "hf", "meta");
  const wk = "layers.1.attention.wk.weight";
  assert.deepEqual(meta.get(wk)!.data, permuteRowsHfToMeta(model.get(wk)!, 2).data);
  const changed = [...model.keys()].filter((name) => meta.get(name) !== model.get(name));
  assert.ok(changed.length === 4 && changed.every((name) => /attention\.w[qk]\./.test(name)));
  assert.equal(convertRowOrder(model, config, "meta", "meta"), model);
});

test("rows that do not divide into heads are refused with both numbers", async () => {
  const tensors = new Map([["layers.0.attention.wq.weight", randomTensor(new Rng(1), [10, 4])]]);
  const convert = async () => convertRowOrder(tensors, { heads: 3, kvHeads: 3 }, "hf", "meta");
  await assertRejects(convert, "shape-mismatch", "layers.0.attention.wq.weight: [10, 4]", "3 heads");
});
