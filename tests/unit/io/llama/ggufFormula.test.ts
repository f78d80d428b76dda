import assert from "node:assert/strict";
import { test } from "node:test";
import type { GgufMetadata, GgufValue } from "../../../../src/io/gguf/header";
import { formula, ggufFormulaFaults } from "../../../../src/io/llama/ggufFormula";
import { ggufLlamaHints } from "../../../../src/io/llama/ggufLlama";

const faults = (name: string, value: GgufValue, more: Record<string, GgufValue> = {}) => {
  const metadata: GgufMetadata = new Map(
    Object.entries({ ...more, [name]: value }).map(([key, one]) => [`llama.${key}`, one]),
  );
  return ggufFormulaFaults(metadata, "llama", 64);
};

test("every entry that changes the formula is refused by name, and taken with each of its neutral values", () => {
  for (const [name, neutral] of Object.entries(formula)) {
    assert.ok(neutral.length > 0, name);
    for (const value of neutral) {
      assert.deepEqual(faults(name, value), [], name);
      assert.deepEqual(faults(name, [value, value]), [], name);
    }
    for (const value of [7, 0.5, -1, "gelu", !neutral.includes(true), [neutral[0], 7], { length: 9 }]) {
      if (neutral.includes(value as never)) continue;
      const [fault, ...others] = faults(name, value as GgufValue);
      assert.match(
        fault!,
        new RegExp(`^llama\\.${name.replaceAll(".", "\\.")}: only .* can be computed, got `),
      );
      assert.deepEqual(others, []);
    }
  }
});

test("llama.cpp's entries for other formulas are in the list", () => {
  const names =
    "attention.{causal clamp_kqv max_alibi_bias q_lora_rank kv_lora_rank relative_buckets_count group_norm_groups " +
    "temperature_length temperature_scale output_scale value_scale key_length_mla shared_kv_layers indexer.top_k " +
    "compress_ratios recurrent_layers output_lora_rank} hidden_activation swiglu_clamp_exp n_deepstack_layers " +
    "altup.num_inputs activation_sparsity_scale embedding_length_per_layer_input attn_logit_softcapping " +
    "final_logit_softcapping residual_scale embedding_scale logit_scale use_parallel_residual swin_norm " +
    "hyper_connection.count ssm.conv_kernel shortconv.l_cache kda.head_dim wkv.head_size nextn_predict_layers " +
    "norm_before_residual full_attention_interval moe_every_n_layers token_shift_count";
  const all = names.replace(/attention\.\{([^}]*)\}/, (_, list: string) =>
    list.replace(/\S+/g, "attention.$&"),
  );
  assert.deepEqual(
    all.split(" ").filter((name) => !(name in formula)),
    [],
  );
});

test("sizes and bases for windows of their own are those of all blocks, or refused", () => {
  const everywhere = { "rope.freq_base": 10_000, "rope.dimension_count": 64 };
  for (const [name, same] of [
    ["attention.key_length_swa", 64],
    ["attention.value_length_swa", 64],
    ["rope.freq_base_swa", 10_000],
    ["rope.dimension_count_swa", 64],
  ] as const) {
    assert.deepEqual(faults(name, same, everywhere), []);
    assert.match(faults(name, 32, everywhere)[0]!, new RegExp(`^llama\\.${name}: only ${same} `));
  }
});

test("linear scaling with YaRN's extrapolation is not linear scaling", () => {
  const hints = (extrapolation: number) =>
    ggufLlamaHints(
      "m.gguf",
      new Map<string, GgufValue>([
        ["general.architecture", "llama"],
        ["llama.rope.scaling.factor", 2],
        ["llama.rope.scaling.yarn_ext_factor", extrapolation],
      ]),
    ).hints.ropeScaling;
  assert.deepEqual(hints(0), { type: "linear", factor: 2 });
  assert.deepEqual(hints(-1), { type: "linear", factor: 2 });
  assert.equal(hints(1)?.type, "other");
});

test("what a header says is taken as the model's sizes, and everything that cannot be is refused at once", () => {
  const header = (entries: Record<string, GgufValue>, architecture: GgufValue = "llama") =>
    new Map<string, GgufValue>([
      ["general.architecture", architecture],
      ...Object.entries(entries).map(([key, value]): [string, GgufValue] => [
        `${String(architecture)}.${key}`,
        value,
      ]),
    ]);
  const sizes = { embedding_length: 64, "attention.head_count": 4, feed_forward_length: 96, block_count: 3 };
  const read = (more: Record<string, GgufValue>, architecture?: string) =>
    ggufLlamaHints("model.gguf", header({ ...sizes, ...more }, architecture));
  const { hints, rowOrder } = read({ "attention.head_count_kv": 2, "rope.freq_base": 5e5 });
  const { dim, heads, kvHeads, headDim, hiddenDim, layers, ropeTheta } = hints;
  assert.deepEqual([dim, heads, kvHeads, headDim, hiddenDim, layers, ropeTheta], [64, 4, 2, 16, 96, 3, 5e5]);
  assert.equal(read({}).hints.kvHeads, 4, "as many as heads where nothing is said");
  assert.deepEqual([rowOrder, read({}, "qwen2").rowOrder, read({}, "qwen3").rowOrder], ["meta", "hf", "hf"]);
  const refused = (more: Record<string, GgufValue>, ...words: RegExp[]) => {
    for (const expected of [/model\.gguf: not a model of the LLaMA family\n/, ...words])
      assert.throws(() => read(more), expected);
  };
  refused(
    { embedding_length: -1, "attention.head_count": "four", block_count: 0 },
    /llama\.embedding_length: expected a positive number, got -1/,
    /llama\.attention\.head_count: expected a positive number/,
    /llama\.block_count: expected a positive number, got 0/,
  );
  refused({ expert_count: 8 }, /a mixture of 8 experts/);
  assert.ok(read({ expert_count: 0 }));
  refused(
    { "attention.key_length": 16, "attention.value_length": 32 },
    /keys of 16 and values of 32 numbers a head/,
  );
  for (const architecture of ["mamba", "toString", 3, null])
    assert.throws(
      () => ggufLlamaHints("model.gguf", header(sizes, architecture as GgufValue)),
      /general\.architecture: expected llama, qwen2, qwen3, got /,
    );
  const part = read({ "rope.dimension_count": 8 }).hints.ropeScaling;
  assert.deepEqual(part, { type: "other", name: "on 8 of 16 numbers a head" });
});
