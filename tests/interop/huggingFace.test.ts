import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/core/packageRoot";
import { Rng } from "../../src/core/rng";
import { startBackend, tf } from "../../src/core/tf";
import { writeHuggingFaceCheckpoint } from "../../src/io/huggingFaceCheckpoint";
import { saveAdapter } from "../../src/models/adapter";
import { LlamaLanguageModel } from "../../src/models/languageModel";
import * as lora from "../../src/models/lora";

const python = process.env.LUVIT_PYTHON ?? "python3";
const missing = spawnSync(python, ["-c", "import torch, transformers, peft"]).status !== 0;
const skip =
  missing && `${python} cannot import torch, transformers and peft (set LUVIT_PYTHON to one that can)`;
if (skip) console.log(`SKIPPED: interoperability with transformers and PEFT, because ${skip}`);

test("transformers and PEFT compute the same logits from the files written here", { skip }, async () => {
  await startBackend();
  const config = { dim: 32, heads: 4, hiddenDim: 96, normEps: 1e-6, ropeTheta: 10000 };
  const model = new LlamaLanguageModel({
    ...config,
    causal: true,
    rope: true,
    rowOrder: "hf",
    depth: 2,
    vocabulary: 48,
  });
  const folder = mkdtempSync(join(tmpdir(), "luvit-interop-"));
  const options = { maxShardBytes: 30_000 };
  await writeHuggingFaceCheckpoint(
    join(folder, "model"),
    await model.stateDict(),
    { ...config, kvHeads: 4 },
    options,
  );

  const rng = new Rng(1);
  const ids = Int32Array.from({ length: 11 }, () => rng.integer(48));
  const logits = () => tf.tidy(() => [...model.forward(tf.tensor(ids, [1, ids.length], "int32")).dataSync()]);
  const base = logits();
  lora.attach(model, { rank: 3, alpha: 5, targets: ["q_proj", "k_proj", "down_proj"] });
  for (const [, layer] of lora.adapters(model)) {
    const { shape, size } = layer.lora_B.weight;
    layer.lora_B.weight.load({
      shape,
      data: Float32Array.from({ length: size }, () => rng.between(-0.2, 0.2)),
    });
  }
  await saveAdapter(model, join(folder, "adapter"));
  const adapted = logits();
  assert.ok(Math.max(...adapted.map((x, i) => Math.abs(x - base[i]))) > 1e-3, "the adapter has an effect");

  writeFileSync(join(folder, "given.json"), JSON.stringify({ ids: [...ids], base, lora: adapted }));
  const script = join(packageRoot(), "tests", "interop", "compare.py");
  const output = execFileSync(python, [script, folder], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const differences = JSON.parse(output.trim().split("\n").at(-1)!) as { base: number; lora: number };
  assert.ok(differences.base < 1e-5, `transformers differs by ${differences.base}`);
  assert.ok(differences.lora < 1e-5, `PEFT differs by ${differences.lora}`);
});
