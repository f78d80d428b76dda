import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { openCheckpoint } from "../../../../src/io/checkpoint/checkpoint";
import { type LlamaFileHints, readLlamaConfig } from "../../../../src/io/llama/config";
import { findFeatures } from "../../../../src/io/llama/shapes";
import { readAdapter } from "../../../../src/io/peft/peft";
import { goldenCases, temporaryFolder, writeBytes } from "../support";

/** Values, as JSON texts, on which careless code trips. */
const odd = [
  ...["null", "true", "[]", "{}", '""', "-1", "1e999", "0.5", '"constructor"', '"__proto__"', '"\\u001b[2J"'],
  '{"toString": 1, "valueOf": 2, "constructor": 3}',
  '{"__proto__": {"length": 3}}',
  '[null, {"a": null}]',
  `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
  `${'{"a":'.repeat(30_000)}1${"}".repeat(30_000)}`,
];

const folder = temporaryFolder();
cpSync(
  join(goldenCases, "lora_peft", "adapter", "adapter_model.safetensors"),
  join(folder, "adapter_model.safetensors"),
);

const keys = {
  "config.json": [
    ...[
      "model_type",
      "hidden_act",
      "partial_rotary_factor",
      "attention_bias",
      "use_sliding_window",
      "hidden_size",
    ],
    ...[
      "num_attention_heads",
      "num_key_value_heads",
      "head_dim",
      "rms_norm_eps",
      "rope_theta",
      "rope_parameters",
    ],
    ...[
      "rope_scaling",
      "sliding_window",
      "tie_word_embeddings",
      "mlp_bias",
      "__proto__",
      "constructor",
      "toString",
    ],
  ],
  "params.json": ["dim", "n_heads", "use_scaled_rope", "rope_scaling", "moe", "__proto__"],
  "adapter_config.json": [
    ...[
      "r",
      "lora_alpha",
      "lora_dropout",
      "target_modules",
      "rank_pattern",
      "alpha_pattern",
      "layers_to_transform",
    ],
    ...["init_lora_weights", "use_dora", "use_rslora", "peft_type", "bias", "__proto__", "constructor"],
  ],
  "model.safetensors.index.json": ["weight_map", "metadata", "__proto__"],
};

const readers: Record<string, (path: string) => Promise<unknown>> = {
  "config.json": readLlamaConfig,
  "params.json": readLlamaConfig,
  "adapter_config.json": () => readAdapter(folder),
  "model.safetensors.index.json": async (path) => (await openCheckpoint(path)).close(),
};

for (const [name, names] of Object.entries(keys)) {
  test(`whatever stands in ${name}, it is read or refused by name`, async () => {
    for (const key of names) {
      for (const value of [
        ...odd,
        ...odd.slice(0, 12).map((one) => `{"rope_type": ${one}, "factor": ${one}}`),
      ]) {
        const path = writeBytes(folder, name, `{"${key}": ${value}}`);
        await readers[name](path).catch((error) => {
          assert.ok(error instanceof LuvitError, `${key}: ${value.slice(0, 60)}: ${error.stack}`);
          assert.ok(error.message.includes(name) || error.message.includes(folder), error.message);
          assert.ok(error.message.length < 5000);
        });
      }
    }
    assert.equal(({} as { length?: number }).length, undefined, "nothing was put into every object");
    for (const text of [...odd, "", "{", '{"a": 1} x', "\u0000"]) {
      if (text.startsWith("{}")) continue;
      const path = writeBytes(folder, name, text);
      await readers[name](path).catch((error) => assert.ok(error instanceof LuvitError, error.stack));
    }
  });
}

test("what no config says of biases and norms most of the tensors say, half of them not", () => {
  const features = (hints: LlamaFileHints, ...there: string[]) =>
    findFeatures(hints, (name) => there.includes(name));
  const norms = ["attention.q_norm.weight", "attention.k_norm.weight"];
  const biases = ["wq", "wk", "wv"].map((name) => `attention.${name}.bias`);
  assert.deepEqual(features({}), {});
  assert.deepEqual(features({}, norms[0]), {}, "one of two");
  assert.deepEqual(features({}, ...norms), { qkNorm: true });
  assert.deepEqual(features({}, biases[0]), {}, "one of three");
  assert.deepEqual(features({}, ...biases.slice(1)), { qkvBias: true }, "two of three");
  assert.deepEqual(features({ qkvBias: false }, ...biases), {}, "the config goes before");
  assert.deepEqual(features({ outputBias: true, mlpBias: true }), { outputBias: true, mlpBias: true });
});
