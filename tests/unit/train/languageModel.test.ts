import assert from "node:assert/strict";
import { test } from "node:test";
import { ready, tf } from "../../../src";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { languageModelLoss, trainLanguageModel } from "../../../src/train/languageModel";

const config = {
  dim: 16,
  heads: 2,
  hiddenDim: 32,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: true,
  rope: true,
};
const text = new TextEncoder().encode("to be or not to be, that is the question. ".repeat(40));
const recipe = {
  steps: 12,
  batchSize: 4,
  length: 24,
  lr: 1e-2,
  minLr: 1e-3,
  warmupSteps: 2,
  weightDecay: 0.1,
};

async function losses(engine: "eager" | "onnxruntime") {
  const model = new LlamaLanguageModel({ ...config, rowOrder: "hf", depth: 1, vocabulary: 256 }, 3);
  const found: number[] = [];
  const onStep = (_: number, loss: number) => found.push(loss);
  await trainLanguageModel(model, text, { ...recipe, seed: 1, engine, threads: 1, onStep });
  const after = await languageModelLoss(model, text, 24);
  model.dispose();
  return [...found, after];
}

test("a language model learns its text, as one graph as op by op", async () => {
  await ready();
  const [eager, graph] = [await losses("eager"), await losses("onnxruntime")];
  assert.equal(graph.length, 13);
  assert.ok(graph[12] < graph[0] - 1.5, `${graph}`);
  for (const [i, loss] of graph.entries())
    assert.ok(Math.abs(loss - eager[i]) < 2e-3, `${i}: ${loss}, ${eager[i]}`);
});

test("the loss of a text is the mean over its whole windows, each byte of which is asked by those before it", async () => {
  await ready();
  const model = new LlamaLanguageModel({ ...config, rowOrder: "hf", depth: 1, vocabulary: 256 }, 3);
  const lossOf = (window: Uint8Array) => {
    const ids = tf.tensor2d([...window.slice(0, -1)], [1, window.length - 1], "int32");
    const logs = tf.logSoftmax(model.forward(ids)).arraySync() as number[][][];
    const last = [...window.slice(1)];
    return -last.reduce((sum, byte, t) => sum + logs[0][t][byte], 0) / last.length;
  };
  const windows = [0, 5, 10].map((start) => lossOf(text.slice(start, start + 6)));
  const mean = (count: number) => windows.slice(0, count).reduce((sum, loss) => sum + loss, 0) / count;
  // A window of five needs the byte behind it: of eleven bytes there are two, of ten one.
  for (const [bytes, count] of [
    [6, 1],
    [10, 1],
    [11, 2],
    [16, 3],
  ]) {
    const loss = await languageModelLoss(model, text.subarray(0, bytes), 5);
    assert.ok(Math.abs(loss - mean(count)) < 1e-5, `${bytes} bytes: ${loss}, not ${mean(count)}`);
  }
  model.dispose();
});

test("a text that is shorter than one window is refused, where nothing could be learned or measured", async () => {
  await ready();
  const model = new LlamaLanguageModel({ ...config, rowOrder: "hf", depth: 1, vocabulary: 256 }, 3);
  const train = (bytes: number) =>
    trainLanguageModel(model, text.slice(0, bytes), { ...recipe, steps: 2, seed: 1, engine: "eager" });
  await assert.rejects(train(25), /trainLanguageModel: text has 25 bytes; one window takes 26/);
  await train(26);
  await assert.rejects(languageModelLoss(model, text.slice(0, 5), 5), /languageModelLoss: text has 5 bytes/);
  assert.ok(Number.isFinite(await languageModelLoss(model, text.slice(0, 6), 5)));
  model.dispose();
});
