import assert from "node:assert/strict";
import { test } from "node:test";
import { readLlamaConfig } from "../../../../src/io/llama/config";
import { writeHuggingFaceCheckpoint } from "../../../../src/io/llama/huggingFaceCheckpoint";
import { llama31Scaling, rotaryFrequencies } from "../../../../src/io/llama/ropeScaling";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { writeSafetensors } from "../../../../src/io/safetensors";
import {
  assertRejects,
  assertSameTensors,
  temporaryFolder,
  tinyLanguageModel,
  tinyLlama,
  writeBytes,
} from "../support";

async function hintsOf(config: object, name = "config.json") {
  return (await readLlamaConfig(writeBytes(temporaryFolder(), name, JSON.stringify(config)))).hints;
}

const sizes = { hidden_size: 64, num_attention_heads: 8, intermediate_size: 96, num_hidden_layers: 2 };

test("each model of the family has the biases and norms that its code gives it", async () => {
  const features = async (config: object) => {
    const { qkvBias, outputBias, mlpBias, qkNorm } = await hintsOf({ ...sizes, ...config });
    return [qkvBias, outputBias, mlpBias, qkNorm];
  };
  assert.deepEqual(await features({ model_type: "llama" }), [false, false, false, false]);
  const biased = { model_type: "llama", attention_bias: true, mlp_bias: true };
  assert.deepEqual(await features(biased), [true, true, true, false]);
  assert.deepEqual(await features({ model_type: "mistral" }), [false, false, false, false]);
  assert.deepEqual(await features({ model_type: "qwen2" }), [true, false, false, false]);
  assert.deepEqual(await features({ model_type: "qwen3" }), [false, false, false, true]);
  assert.deepEqual(await features({}), [undefined, undefined, undefined, undefined]);
});

test("the width of a head is the config's, its model's, or its share of the width", async () => {
  assert.equal((await hintsOf(sizes)).headDim, 8);
  assert.equal((await hintsOf({ ...sizes, head_dim: 16 })).headDim, 16);
  assert.equal((await hintsOf({ ...sizes, model_type: "qwen3" })).headDim, 128);
});

test("the sliding window counts for Mistral, and for Qwen where it is switched on", async () => {
  const window = async (config: object) =>
    (await hintsOf({ ...sizes, sliding_window: 4096, ...config })).slidingWindow;
  assert.equal(await window({ model_type: "mistral" }), 4096);
  assert.equal(await window({ model_type: "mistral", sliding_window: null }), undefined);
  assert.equal(await window({ model_type: "qwen2", use_sliding_window: false }), undefined);
  assert.equal(await window({ model_type: "qwen2", use_sliding_window: true }), 4096);
});

const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

test("the rotary scaling is found where each release of transformers, and Meta, puts it", async () => {
  const scaling = async (config: object, name?: string) => (await hintsOf(config, name)).ropeScaling;
  assert.deepEqual(await scaling({ rope_scaling: { rope_type: "llama3", ...llama3 } }), llama31Scaling);
  const parameters = { rope_type: "llama3", rope_theta: 500000, ...llama3 };
  assert.deepEqual(await scaling({ rope_parameters: parameters }), llama31Scaling);
  assert.equal((await hintsOf({ rope_parameters: parameters })).ropeTheta, 500000);
  assert.deepEqual(await scaling({ rope_scaling: { type: "linear", factor: 2 } }), {
    type: "linear",
    factor: 2,
  });
  assert.deepEqual(await scaling({ rope_scaling: { rope_type: "yarn", factor: 2 } }), {
    type: "other",
    name: "yarn",
  });
  assert.deepEqual(await scaling({ rope_scaling: { rope_type: "llama3" } }), {
    type: "other",
    name: "llama3",
  });
  assert.deepEqual(await scaling({ use_scaled_rope: true }, "params.json"), llama31Scaling);
  const wider = { ...llama31Scaling, factor: 32 };
  assert.deepEqual(await scaling({ use_scaled_rope: true, rope_scaling_factor: 32 }, "params.json"), wider);
  for (const none of [{}, { rope_scaling: null }, { rope_parameters: { rope_type: "default" } }]) {
    assert.equal(await scaling(none), undefined);
  }
});

test("models whose blocks compute something else are refused with every reason", async () => {
  const path = writeBytes(
    temporaryFolder(),
    "config.json",
    JSON.stringify({ ...sizes, model_type: "gemma2", hidden_act: "gelu", attention_bias: "yes" }),
  );
  const texts = [
    "gemma2",
    "llama, mistral, qwen2, qwen3",
    "hidden_act",
    "attention_bias: expected true or false",
  ];
  await assertRejects(() => readLlamaConfig(path), "bad-file", ...texts);
  const moe = writeBytes(temporaryFolder(), "params.json", JSON.stringify({ moe: { num_experts: 8 } }));
  await assertRejects(() => readLlamaConfig(moe), "bad-file", "moe");
});

test("a language model with grouped heads, biases and head norms is written for transformers and read back", async () => {
  const base = { ...tinyLlama, heads: 4, kvHeads: 2, headDim: 6 };
  const families = {
    llama: { ...base, ropeScaling: llama31Scaling },
    biased: { ...base, qkvBias: true, outputBias: true, mlpBias: true },
    qwen2: { ...base, qkvBias: true },
    qwen3: { ...base, qkNorm: true },
  };
  for (const [name, config] of Object.entries(families)) {
    const folder = temporaryFolder();
    const model = tinyLanguageModel(2, config);
    await writeHuggingFaceCheckpoint(folder, model, config);
    const read = await readLanguageModel(folder);
    assertSameTensors(read.tensors, model);
    assert.deepEqual(read.config, config, name);
  }
  const impossible = { ...base, mlpBias: true, qkNorm: true };
  const write = () =>
    writeHuggingFaceCheckpoint(temporaryFolder(), tinyLanguageModel(1, impossible), impossible);
  await assertRejects(write, "bad-argument", '"mlpBias":true');
});

test("without a config the tensors say what a block has; heads stay to be given", async () => {
  const config = { ...tinyLlama, heads: 4, kvHeads: 2, headDim: 6, qkvBias: true };
  const path = `${temporaryFolder()}/block.safetensors`;
  await writeSafetensors(path, tinyLanguageModel(1, config));
  const read = await readLlamaBlocks(path, { heads: 4 });
  assert.deepEqual(read.config, { ...config, normEps: 1e-6, ropeTheta: 10000 });
  await assertRejects(() => readLlamaBlocks(path), "bad-argument", "number of heads is unknown");
  await assertRejects(() => readLlamaBlocks(path, { heads: 5 }), "bad-argument", "5 heads do not divide");
});

test("rotary frequencies are theta^(-2i/d), scaled linearly, as LLaMA 3.1's or by a table of divisors", () => {
  const close = (found: Float64Array, expected: number[]) => {
    assert.equal(found.length, expected.length);
    for (const [i, one] of expected.entries())
      assert.ok(Math.abs(found[i] - one) < 1e-12, `${i}: ${found[i]}`);
  };
  close(rotaryFrequencies(4, 10_000), [1, 0.01]);
  close(rotaryFrequencies(6, 8), [1, 0.5, 0.25]);
  close(rotaryFrequencies(4, 10_000, { type: "linear", factor: 4 }), [0.25, 0.0025]);
  close(rotaryFrequencies(4, 10_000, { type: "divisors", divisors: [2, 8] }), [0.5, 0.00125]);
  for (const divisors of [[1], [1, 1, 1]])
    assert.throws(() => rotaryFrequencies(4, 10_000, { type: "divisors", divisors }), {
      code: "bad-argument",
      message: `rotary scaling: ${divisors.length} divisors for 2 frequencies`,
    });
  /** Of the frequency 1, which turns so often within the original length. */
  const turning = (turns: number) =>
    rotaryFrequencies(2, 10_000, { ...llama31Scaling, originalLength: 2 * Math.PI * turns });
  close(turning(0.5), [1 / 8]);
  close(turning(1.75), [0.75 / 8 + 0.25]);
  close(turning(2.5), [0.5 / 8 + 0.5]);
  close(turning(3.25), [0.25 / 8 + 0.75]);
  close(turning(8), [1]);
});

test("the newer place of the rotary scaling goes before the older; embeddings are tied where a config says so", async () => {
  const both = {
    ...sizes,
    rope_parameters: { rope_type: "linear", factor: 2 },
    rope_scaling: { rope_type: "linear", factor: 8 },
  };
  assert.deepEqual((await hintsOf(both)).ropeScaling, { type: "linear", factor: 2 });
  const tied = async (value?: unknown) =>
    (await hintsOf({ ...sizes, tie_word_embeddings: value })).tiedEmbeddings;
  assert.deepEqual([await tied(), await tied(true), await tied(false)], [false, true, false]);
  const yarn = await hintsOf({ ...sizes, rope_scaling: { rope_type: "y".repeat(99), factor: 2 } });
  assert.deepEqual(yarn.ropeScaling, { type: "other", name: "y".repeat(60) });
});
