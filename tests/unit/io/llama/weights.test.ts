import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { writeHuggingFaceCheckpoint } from "../../../../src/io/llama/huggingFaceCheckpoint";
import { convertRowOrder, metaToHfName } from "../../../../src/io/llama/keymap";
import { inferBlockWidths } from "../../../../src/io/llama/shapes";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { writeSafetensors } from "../../../../src/io/safetensors";
import {
  assertRejects,
  assertSameTensors,
  goldenCases,
  temporaryFolder,
  tinyLanguageModel,
  tinyLlama,
} from "../support";

const layers = 12;
const model = tinyLanguageModel(layers);
const folder = temporaryFolder();
const checkpoints = join(goldenCases, "checkpoints");

/** Layer `layer` of a model, renamed to layer `to`. */
function blockOf(tensors: StateDict, layer: number, to = 0): StateDict {
  const own = [...tensors].filter(([name]) => name.startsWith(`layers.${layer}.`));
  return new Map(own.map(([name, tensor]) => [name.replace(/\d+/, String(to)), tensor]));
}

function sizeInBytes(tensors: StateDict): number {
  return [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
}

async function writeMeta(name: string, tensors: StateDict): Promise<string> {
  const path = join(temporaryFolder(), name);
  await writeSafetensors(path, tensors);
  return path;
}

before(async () => {
  await writeHuggingFaceCheckpoint(folder, model, tinyLlama, { maxShardBytes: 20_000 });
});

test("one block of a sharded model is read with its config, the last one by default", async () => {
  const last = await readLlamaBlocks(folder);
  assertSameTensors(last.tensors, blockOf(model, layers - 1));
  assert.deepEqual(last.config, tinyLlama);
  assert.equal(last.rowOrder, "hf");
  assert.deepEqual(last.layerIndices, [layers - 1]);
  assert.equal(last.totalLayers, layers);
  assert.deepEqual(last.notes, []);
  assertSameTensors((await readLlamaBlocks(folder, { block: 3 })).tensors, blockOf(model, 2));
});

test("reading one block reads that block's bytes, the headers of its shards, index and config, and nothing else", async () => {
  for (let block = 1; block <= layers; block++) {
    const { bytesRead, files } = await readLlamaBlocks(folder, { block });
    const headers = files.map((file) => 8 + Number(readFileSync(file).readBigUInt64LE(0)));
    const texts = ["model.safetensors.index.json", "config.json"].map(
      (name) => statSync(join(folder, name)).size,
    );
    const expected = [...headers, ...texts].reduce((a, b) => a + b) + sizeInBytes(blockOf(model, block - 1));
    assert.equal(bytesRead, expected);
  }
});

test("several blocks come in the order asked for", async () => {
  const { tensors, layerIndices } = await readLlamaBlocks(folder, { blocks: [12, 1] });
  assertSameTensors(tensors, new Map([...blockOf(model, 11, 0), ...blockOf(model, 0, 1)]));
  assert.deepEqual(layerIndices, [11, 0]);
});

test("a block of Meta's .pth is read without reading the other layers", async () => {
  const path = join(checkpoints, "meta");
  const { bytesRead, rowOrder, files } = await readLlamaBlocks(path, { block: 1 });
  assert.equal(rowOrder, "meta");
  assert.ok(bytesRead < statSync(files[0]).size / 2);
});

test("Hugging Face and Meta files of the same weights agree up to the row order", async () => {
  const meta = await readLlamaBlocks(join(checkpoints, "meta"), { block: 2 });
  const hf = await readLlamaBlocks(join(checkpoints, "hf_f16"), { block: 2 });
  assertSameTensors(convertRowOrder(hf.tensors, hf.config, "hf", "meta"), meta.tensors);
  assert.deepEqual(meta.config, hf.config);
});

test("a whole language model is written in shards and read back", async () => {
  const read = await readLanguageModel(folder);
  assertSameTensors(read.tensors, model);
  assert.equal(read.vocabSize, 10);
  assert.equal(read.tiedEmbeddings, false);
  assert.ok(
    readdirSync(folder).filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name)).length > 3,
  );
});

test("the index is the one transformers writes", () => {
  const index = JSON.parse(readFileSync(join(folder, "model.safetensors.index.json"), "utf8"));
  assert.equal(index.metadata.total_size, sizeInBytes(model));
  const names = [...model.keys()].map((name) => metaToHfName(name)!).sort();
  assert.deepEqual(Object.keys(index.weight_map), names);
  for (const shard of new Set(Object.values<string>(index.weight_map))) {
    const bytes = readFileSync(join(folder, shard));
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    assert.deepEqual(header.__metadata__, { format: "pt" });
    const own = Object.keys(index.weight_map).filter((name) => index.weight_map[name] === shard);
    assert.deepEqual(Object.keys(header).sort(), ["__metadata__", ...own].sort());
  }
});

test("a model that fits into one shard has no index; a tied one has no output layer", async () => {
  const tied = new Map([...model].filter(([name]) => name !== "output.weight"));
  const single = temporaryFolder();
  const files = await writeHuggingFaceCheckpoint(single, tied, tinyLlama, { dtype: "BF16" });
  assert.deepEqual(files, ["model.safetensors", "config.json"]);
  const read = await readLanguageModel(single);
  assert.equal(read.tiedEmbeddings, true);
  assert.equal(read.tensors.get("norm.weight")!.dtype, "BF16");
});

test("the written config says what transformers asks of one: sizes, type, embeddings, positions", async () => {
  const written = async (more: object, tensors: StateDict = model, dtype: "F32" | "F16" | "BF16" = "F32") => {
    const place = temporaryFolder();
    await writeHuggingFaceCheckpoint(place, tensors, { ...tinyLlama, ...more }, { dtype });
    return JSON.parse(readFileSync(join(place, "config.json"), "utf8")) as Record<string, unknown>;
  };
  const config = await written({});
  const { dim, heads, kvHeads, hiddenDim, normEps, ropeTheta } = tinyLlama;
  const expected = {
    ...{ hidden_size: dim, num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim / heads },
    ...{ intermediate_size: hiddenDim, num_hidden_layers: layers, vocab_size: 10, hidden_act: "silu" },
    ...{ rms_norm_eps: normEps, rope_theta: ropeTheta, max_position_embeddings: 2048 },
    ...{ tie_word_embeddings: false, torch_dtype: "float32", dtype: "float32", model_type: "llama" },
    rope_parameters: { rope_theta: ropeTheta, rope_type: "default" },
  };
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(config[name], value, name);
  assert.equal("rope_scaling" in config, false);
  const tied = new Map([...model].filter(([name]) => name !== "output.weight"));
  const other = await written({ maxPositions: 77, ropeScaling: { type: "linear", factor: 3 } }, tied, "BF16");
  assert.deepEqual(
    [other.max_position_embeddings, other.tie_word_embeddings, other.torch_dtype, other.rope_scaling],
    [77, true, "bfloat16", { rope_type: "linear", factor: 3 }],
  );
  assert.equal((await written({}, model, "F16")).torch_dtype, "float16");
});

test("there are as many blocks as the config or the file says, whichever are more, and as many tokens as the config", async () => {
  const place = temporaryFolder();
  const small = tinyLanguageModel(3);
  await writeHuggingFaceCheckpoint(place, small, tinyLlama);
  const path = join(place, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  const withConfig = (more: object) => writeFileSync(path, JSON.stringify({ ...config, ...more }));
  withConfig({ num_hidden_layers: 2 });
  assert.equal((await readLlamaBlocks(place, { block: 3 })).totalLayers, 3);
  withConfig({ num_hidden_layers: 5 });
  assert.equal((await readLlamaBlocks(place, { block: 1 })).totalLayers, 5);
  const last = await readLlamaBlocks(place);
  assert.deepEqual(last.layerIndices, [2], "the last that the file has");
  assertSameTensors(last.tensors, blockOf(small, 2));
  await assertRejects(() => readLanguageModel(place), "key-mismatch", "3 blocks of a model of 5");
  withConfig({ vocab_size: 11 });
  const fault = `expected [11, ${tinyLlama.dim}], got [10, ${tinyLlama.dim}]`;
  await assertRejects(() => readLanguageModel(place), "shape-mismatch", fault);
});

test("a width that tensors do not agree on is the one that most have, of two as many the first's", () => {
  const info = (...shape: number[]) => ({ shape, dtype: "F32" });
  const widths = (block: Record<string, ReturnType<typeof info>>) =>
    inferBlockWidths(new Map(Object.entries(block)), { heads: 2 });
  const norms = { "attention_norm.weight": info(32), "ffn_norm.weight": info(48) };
  assert.equal(widths(norms).dim, 32);
  assert.equal(widths({ ...norms, "attention.wq.weight": info(32, 48) }).dim, 48);
  const hidden = { ...norms, "feed_forward.w1.weight": info(96, 32), "feed_forward.w3.weight": info(80, 32) };
  assert.deepEqual([widths(hidden).dim, widths(hidden).hiddenDim], [32, 96]);
  assert.equal(widths({ ...hidden, "feed_forward.w2.weight": info(32, 80) }).hiddenDim, 80);
  assert.equal(widths({}).dim, 0);
});

test("writing an incomplete model lists what is missing or unknown", async () => {
  const wrong = new Map([...model].filter(([name]) => name !== "layers.4.ffn_norm.weight"));
  wrong.set("layers.0.attention.wq.bias", model.get("norm.weight")!);
  wrong.set("cls_token", model.get("norm.weight")!);
  const write = () => writeHuggingFaceCheckpoint(temporaryFolder(), wrong, tinyLlama);
  await assertRejects(write, "key-mismatch", "layers.4.ffn_norm.weight: missing", "cls_token", "wq.bias");
});

test("every missing, misshapen and non-finite tensor is in one error", async () => {
  const damaged = new Map(model);
  damaged.delete("layers.5.feed_forward.w3.weight");
  damaged.set("layers.5.attention.wq.weight", { shape: [14, 16], data: new Float32Array(14 * 16) });
  damaged.set("layers.5.attention.wo.weight", {
    shape: [16, 16],
    data: new Float32Array(256).fill(Number.NaN, 0, 2),
  });
  damaged.set("layers.5.attention.wv.bias", { shape: [16], data: new Float32Array(16) });
  const path = await writeMeta("damaged.safetensors", damaged);
  await assertRejects(
    () => readLlamaBlocks(path, { block: 6 }),
    "key-mismatch",
    "layers.5.feed_forward.w3.weight: missing",
    "layers.5.attention.wq.weight: expected [16, 16], got [14, 16]",
    "layers.5.attention.wo.weight: 2 NaN and 0 infinite of 256 values",
    "layers.5.attention.wv.bias: not part of a LLaMA block",
  );
  assert.equal((await readLlamaBlocks(path, { block: 5, heads: 2 })).tensors.size, 9);
});

test("NaN and infinities are refused unless allowed", async () => {
  const damaged = new Map(model);
  const values = new Float32Array(16).fill(1);
  values[3] = Number.NEGATIVE_INFINITY;
  damaged.set("layers.0.ffn_norm.weight", { shape: [16], data: values });
  const path = await writeMeta("nan.safetensors", damaged);
  await assertRejects(
    () => readLlamaBlocks(path, { block: 1, heads: 2 }),
    "non-finite",
    "0 NaN and 1 infinite",
  );
  const { tensors } = await readLlamaBlocks(path, { block: 1, heads: 2, allowNonFinite: true });
  assert.deepEqual(tensors.get("layers.0.ffn_norm.weight")!.data, values);
});

test("without a config the heads must be given; what else is assumed is said", async () => {
  const path = await writeMeta("bare.safetensors", model);
  await assertRejects(() => readLlamaBlocks(path), "bad-argument", "pass { heads }");
  await assertRejects(() => readLlamaBlocks(path, { heads: 5 }), "bad-argument", "5 heads do not divide");
  const { config, notes } = await readLlamaBlocks(path, { heads: 4 });
  assert.deepEqual(config, { ...tinyLlama, heads: 4, kvHeads: 4, normEps: 1e-6, ropeTheta: 10000 });
  assert.equal(notes.length, 1);
  const wide = tinyLanguageModel(1, { ...tinyLlama, dim: 256 });
  const assumed = await readLlamaBlocks(await writeMeta("wide.safetensors", wide));
  assert.equal(assumed.config.heads, 2);
  assert.ok(assumed.notes.some((note) => note.includes("the number of heads: assumed 2")));
});

test("grouped keys and values keep their own number of heads", async () => {
  const config = { ...tinyLlama, heads: 4, kvHeads: 2 };
  const grouped = temporaryFolder();
  await writeHuggingFaceCheckpoint(grouped, tinyLanguageModel(2, config), config);
  assert.deepEqual((await readLlamaBlocks(grouped)).config, config);
  assert.equal((await readLlamaBlocks(grouped, { heads: 4 })).config.kvHeads, 2);
  // Other heads than the config's are of another width, and so are those of keys and values.
  assert.deepEqual((await readLlamaBlocks(grouped, { heads: 8 })).config, {
    ...config,
    heads: 8,
    kvHeads: 4,
  });
  rmSync(join(grouped, "config.json"));
  assert.equal((await readLlamaBlocks(grouped, { heads: 4 })).config.kvHeads, 2);
});

test("a config of another size than the weights is a shape error naming every tensor", async () => {
  const other = temporaryFolder();
  await writeHuggingFaceCheckpoint(other, tinyLanguageModel(1), tinyLlama);
  const config = JSON.parse(readFileSync(join(other, "config.json"), "utf8"));
  writeFileSync(join(other, "config.json"), JSON.stringify({ ...config, hidden_size: 32, head_dim: 16 }));
  const [expected, got] = ["expected [32, 32]", "got [16, 16]"];
  await assertRejects(
    () => readLlamaBlocks(other),
    "shape-mismatch",
    "self_attn.q_proj.weight",
    expected,
    got,
    "layernorm",
  );
});

test("a config that is not LLaMA's lists its faults", async () => {
  const other = temporaryFolder();
  await writeHuggingFaceCheckpoint(other, tinyLanguageModel(1), tinyLlama);
  const bad = { hidden_size: -1, num_attention_heads: "4", hidden_act: "gelu", rms_norm_eps: 0 };
  writeFileSync(join(other, "config.json"), JSON.stringify(bad));
  const names = ["hidden_size", "num_attention_heads", "hidden_act", "rms_norm_eps"];
  await assertRejects(() => readLlamaBlocks(other), "bad-file", ...names);
});

test("blocks that do not exist are refused with the range that does", async () => {
  for (const options of [{ block: 13 }, { blocks: [2, 2] }]) {
    await assertRejects(() => readLlamaBlocks(folder, options), "bad-argument", "1 to 12");
  }
  for (const options of [{ block: 0 }, { block: 1.5 }, { blocks: [] }]) {
    await assertRejects(() => readLlamaBlocks(folder, options), "bad-argument", "whole number from 1");
  }
  await assertRejects(() => readLlamaBlocks(folder, { block: 1, blocks: [1] }), "bad-argument", "not both");
});

test("files that are no LLaMA say what they hold; half a model is no language model", async () => {
  await assertRejects(
    () => readLlamaBlocks(join(checkpoints, "mae", "checkpoint-7.pth")),
    "key-mismatch",
    "  cls_token",
  );
  const half = new Map([...model].filter(([name]) => !name.startsWith("layers.3.")));
  const path = await writeMeta("half.safetensors", half);
  await assertRejects(
    () => readLanguageModel(path, { heads: 2 }),
    "key-mismatch",
    "11 blocks of a model of 12",
  );
  await assertRejects(
    () => readLlamaBlocks(path, { heads: 2, block: 4 }),
    "key-mismatch",
    "layers.3.ffn_norm.weight: missing",
  );
});

test("tensors around the blocks of another shape are refused by name, all at once", async () => {
  const odd = new Map(model);
  const shorter = (name: string) => {
    const { data, shape } = model.get(name)!;
    const rest = shape.slice(1).reduce((a, b) => a * b, 1);
    return { data: data.slice(0, (shape[0]! - 1) * rest), shape: [shape[0]! - 1, ...shape.slice(1)] };
  };
  for (const name of ["norm.weight", "output.weight"]) odd.set(name, shorter(name) as never);
  const path = temporaryFolder();
  await writeHuggingFaceCheckpoint(path, odd, tinyLlama);
  await assertRejects(() => readLanguageModel(path), "shape-mismatch", "norm.weight", "lm_head.weight");
});
