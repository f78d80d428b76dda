import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Rng } from "../../src/core/rng";
import { startBackend, tf } from "../../src/core/tf";
import type { LlamaFileConfig } from "../../src/io/llama/config";
import { writeHuggingFaceCheckpoint } from "../../src/io/llama/huggingFaceCheckpoint";
import { llama31Scaling } from "../../src/io/llama/ropeScaling";
import { saveAdapter } from "../../src/models/adapter";
import { LlamaLanguageModel } from "../../src/models/languageModel";
import * as lora from "../../src/models/lora";
import { perturb } from "../unit/models/support";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "transformers", "peft");
const folder = mkdtempSync(join(tmpdir(), "luvit-interop-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const llama: LlamaFileConfig = {
  dim: 32,
  heads: 4,
  kvHeads: 4,
  hiddenDim: 96,
  normEps: 1e-6,
  ropeTheta: 10000,
};
const ropeScaling = { ...llama31Scaling, originalLength: 32 };
const models: Record<string, LlamaFileConfig> = {
  llama,
  "llama with grouped heads, biases and scaled rotation": {
    ...llama,
    kvHeads: 2,
    qkvBias: true,
    outputBias: true,
    mlpBias: true,
    ropeScaling,
  },
  qwen2: { ...llama, kvHeads: 1, qkvBias: true },
  qwen3: { ...llama, kvHeads: 2, headDim: 16, qkNorm: true },
};

let differences: Record<string, { base: number; lora: number }> = {};
before(async () => {
  if (skip) return;
  await startBackend();
  for (const [name, config] of Object.entries(models)) await writeModel(join(folder, name), config);
  differences = runPython("compare.py", folder);
});

/** A language model, an adapter on it, and the logits of both. */
async function writeModel(place: string, config: LlamaFileConfig): Promise<void> {
  const switches = { causal: true, rope: true, rowOrder: "hf" } as const;
  const model = new LlamaLanguageModel({ ...config, ...switches, depth: 2, vocabulary: 48 });
  perturb(model);
  const options = { maxShardBytes: 30_000 };
  await writeHuggingFaceCheckpoint(join(place, "model"), await model.stateDict(), config, options);

  const rng = new Rng(1);
  const ids = Int32Array.from({ length: 11 }, () => rng.integer(48));
  const logits = () => tf.tidy(() => [...model.forward(tf.tensor(ids, [1, ids.length], "int32")).dataSync()]);
  const base = logits();
  lora.attach(model, { rank: 3, alpha: 5, targets: ["q_proj", "k_proj", "down_proj"] });
  lora.attach(model, { rank: 2, alpha: 7, targets: ["v_proj"] });
  for (const [, layer] of lora.adapters(model)) {
    const { shape, size } = layer.lora_B.weight;
    const data = Float32Array.from({ length: size }, () => rng.between(-0.2, 0.2));
    layer.lora_B.weight.load({ shape, data });
  }
  await saveAdapter(model, join(place, "adapter"));
  const adapted = logits();
  assert.ok(Math.max(...adapted.map((x, i) => Math.abs(x - base[i]))) > 1e-3, "the adapter has an effect");
  writeFileSync(join(place, "given.json"), JSON.stringify({ ids: [...ids], base, lora: adapted }));
}

for (const name of Object.keys(models)) {
  test(`transformers and PEFT compute the same logits from files written here: ${name}`, { skip }, () => {
    const { base, lora: adapted } = differences[name];
    assert.ok(base < 1e-5, `transformers differs by ${base}`);
    assert.ok(adapted < 1e-5, `PEFT differs by ${adapted}`);
  });
}
