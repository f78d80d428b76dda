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

test("each step is told with its number, its loss before it and its rate: up to the peak, then half a cosine down", async () => {
  await ready();
  const model = new LlamaLanguageModel({ ...config, rowOrder: "hf", depth: 1, vocabulary: 256 }, 3);
  const told: [step: number, loss: number, lr: number][] = [];
  const steps = { ...recipe, steps: 4, lr: 1, minLr: 0.1, seed: 1, engine: "eager" } as const;
  await trainLanguageModel(model, text, { ...steps, onStep: (...one) => told.push(one) });
  assert.deepEqual(
    told.map(([step]) => step),
    [0, 1, 2, 3],
  );
  const rates = [0.5, 1, 0.1 + 0.9 / 2, 0.1];
  for (const [i, [, , rate]] of told.entries()) assert.ok(Math.abs(rate - rates[i]) < 1e-12, `${rate}`);
  // A fresh model guesses: the loss is about that of 256 equally likely bytes.
  assert.ok(Math.abs(told[0][1] - Math.log(256)) < 0.5, `${told[0][1]}`);
  model.dispose();
});

test("a warm-up is no longer than the steps, and no rate above the peak", async () => {
  const model = new LlamaLanguageModel({ ...config, rowOrder: "hf", depth: 1, vocabulary: 256 }, 3);
  const refused = (wrong: object, says: RegExp) =>
    assert.rejects(trainLanguageModel(model, text, { ...recipe, seed: 1, engine: "eager", ...wrong }), says);
  await refused({ warmupSteps: 13 }, /warmupSteps: expected at most steps \(12\), got 13/);
  await refused({ minLr: 2e-2 }, /minLr: expected at most the peak rate \(0.01\)/);
  await trainLanguageModel(model, text, { ...recipe, steps: 1, warmupSteps: 1, seed: 1, engine: "eager" });
  model.dispose();
});
