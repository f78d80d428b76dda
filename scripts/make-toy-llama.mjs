// Trains the small language model whose last block the quickstart unlocks, with the library's own LLaMA block, on
// data/text/devils-dictionary.txt, and writes it as transformers would: data/llama-toy/{config.json, shards, index}.
//   npm run build && node scripts/make-toy-llama.mjs [--steps 1200]
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { startBackend } = require("../dist/core/tf.js");
const { LlamaLanguageModel } = require("../dist/models/languageModel.js");
const { languageModelLoss, trainLanguageModel } = require("../dist/train/languageModel.js");
const { writeHuggingFaceCheckpoint } = require("../dist/io/llama/index.js");

const given = process.argv.indexOf("--steps");
const steps = given > 0 ? Number(process.argv[given + 1]) : 1200;
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

console.log(String(await startBackend()));
const bytes = new Uint8Array(readFileSync(path("../data/text/devils-dictionary.txt")));
const heldOut = bytes.subarray(Math.floor(bytes.length * 0.97));
const text = bytes.subarray(0, bytes.length - heldOut.length);
const config = {
  dim: 96,
  heads: 4,
  hiddenDim: 256,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: true,
  rope: true,
  rowOrder: "hf",
  depth: 4,
  vocabulary: 256,
};
const recipe = {
  steps,
  batchSize: 16,
  length: 128,
  lr: 3e-3,
  minLr: 1e-4,
  warmupSteps: 50,
  weightDecay: 0.1,
  seed: 0,
};

const model = new LlamaLanguageModel(config);
console.log(`${model}, ${text.length} bytes of text, ${heldOut.length} held out`);
const started = performance.now();
const window = [];
await trainLanguageModel(model, text, {
  ...recipe,
  onStep(step, loss, lr) {
    window.push(loss);
    if (window.length > 50) window.shift();
    if ((step + 1) % 25 !== 0) return;
    const mean = window.reduce((a, b) => a + b) / window.length;
    const perStep = (performance.now() - started) / 1000 / (step + 1);
    console.log(
      `step ${step + 1}/${steps} · loss ${mean.toFixed(3)} nats/byte · lr ${lr.toExponential(1)} · ${perStep.toFixed(2)} s/step`,
    );
  },
});
const loss = await languageModelLoss(model, heldOut, recipe.length);
const folder = path("../data/llama-toy");
const files = await writeHuggingFaceCheckpoint(
  folder,
  await model.stateDict(),
  { ...config, kvHeads: config.heads },
  { dtype: "BF16", maxShardBytes: 300_000 },
);
const report = {
  recipe,
  heldOutLossNatsPerByte: Number(loss.toFixed(4)),
  text: "data/text/devils-dictionary.txt",
};
writeFileSync(`${folder}/training.json`, `${JSON.stringify(report, null, 2)}\n`);
console.log(`held-out loss ${loss.toFixed(4)} nats/byte · wrote ${files.join(", ")}`);
