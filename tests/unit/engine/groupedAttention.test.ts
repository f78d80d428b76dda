import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { int8Entries } from "../../../src/engine/onnx/int8/select";
import { type Graph, optimize, trace } from "../../../src/graph";
import { randomBlock } from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import type { LlamaConfig } from "../../../src/models/llamaConfig";
import * as lora from "../../../src/models/lora";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { parameterShapes, withTracedParameters } from "../../../src/nn/modelState";
import { trainableVariables } from "../../../src/nn/variables";
import { lossAndGradients } from "../../../src/optim/gradients";
import { hostParameters } from "../../golden/support";
import { hostGradients, perturb, tinyImages, tinyViT } from "../models/support";
import { assertClose, randomTensor } from "../nn/support";
import { compilingEngines, openGraph } from "./support";

/** Two heads of keys for four of queries, wider than the stream, with what the family may add to a block. */
const grouped: LlamaConfig = {
  dim: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  hiddenDim: 48,
  normEps: 1e-5,
  ropeTheta: 500000,
  qkvBias: true,
  qkNorm: true,
  causal: false,
  rope: false,
  rowOrder: "hf",
};
const asLanguageModel = { causal: true, rope: true, slidingWindow: 4 };

before(() => startBackend());

function makeModel(config: LlamaConfig): classifier.Classifier {
  const block = randomBlock(config);
  lora.attach(block, { rank: 2, targets: ["q_proj", "k_proj", "v_proj"] });
  const model = classifier.create({ encoder: tinyViT, fusion: block, classes: 3 });
  perturb(model);
  return model;
}

const targets = () => tf.softmax(randomTensor([2, 3], 5));
const lossOf = (model: classifier.Classifier, images: Tensor, wanted: Tensor) =>
  softTargetCrossEntropy(model.forward(images), wanted);

/** Loss and the gradient of every trained parameter, as one graph. */
function traceGradients(model: classifier.Classifier): Graph {
  return trace("gradients", {
    inputs: { images: { shape: [2, 3, 12, 12] }, targets: { shape: [2, 3] } },
    state: parameterShapes(model),
    body: ({ images, targets: wanted }, state) =>
      withTracedParameters(model, state, () => {
        const trained = new Map([...trainableVariables(model).keys()].map((path) => [path, state[path]]));
        const { loss, gradients } = lossAndGradients(() => lossOf(model, images, wanted), trained);
        return { loss, ...Object.fromEntries([...gradients].map(([path, g]) => [`gradient of ${path}`, g])) };
      }),
  });
}

async function runOn(
  { open }: (typeof compilingEngines)[number],
  model: classifier.Classifier,
  graph: Graph,
  frozen?: "int8",
) {
  const parameters = Object.fromEntries(await hostParameters(model)) as Record<string, Float32Array>;
  const executor = await openGraph(graph, parameters, { threads: 1, open, frozen });
  const [images, wanted] = [tinyImages(), targets()];
  const feeds = { images: images.dataSync<"float32">(), targets: wanted.dataSync<"float32">() };
  const results = await executor.run("step", feeds);
  await executor.dispose();
  return results;
}

const memories = [undefined, "recompute"] as const;

for (const engine of compilingEngines) {
  describe(`a model through a block with grouped heads on ${engine.engine}`, () => {
    for (const [name, config] of [
      ["every token sees every other", grouped],
      ["causal, rotary positions, sliding window", { ...grouped, ...asLanguageModel }],
    ] as const) {
      test(`${name}: the loss and every gradient are those of eager tfjs`, engine.options, async () => {
        const model = makeModel(config);
        const expected = hostGradients(
          () => lossOf(model, tinyImages(), targets()),
          trainableVariables(model),
        );
        const loss = tf.tidy(() => lossOf(model, tinyImages(), targets()).dataSync()[0]);
        for (const memory of memories) {
          const results = await runOn(engine, model, optimize(traceGradients(model), { memory }));
          assertClose(results.loss, [loss], 1e-5, "loss");
          for (const [path, gradient] of expected) {
            assertClose(results[`gradient of ${path}`], gradient, 2e-5, path);
          }
          assert.equal(Object.keys(results).length, expected.size + 1);
        }
        assert.ok([...expected.keys()].filter((path) => path.includes("lora_")).length === 6);
      });
    }
    if (engine.engine !== "onnxruntime") return;
    test(
      "the frozen grouped projections are kept in eight bits, their biases are not",
      engine.options,
      async () => {
        const model = makeModel(grouped);
        const graph = optimize(traceGradients(model));
        const chosen = [...int8Entries([graph])].filter((path) => path.includes("attention"));
        const weights = ["wq", "wk", "wv", "wo"].map((name) => `llama.layers.0.attention.${name}.weight`);
        assert.deepEqual(chosen.sort(), weights.sort());
        const [exact, int8] = [await runOn(engine, model, graph), await runOn(engine, model, graph, "int8")];
        const difference = Math.abs(int8.loss[0] / exact.loss[0] - 1);
        assert.ok(difference > 1e-7 && difference < 0.02, `the loss is off by ${difference} of itself`);
      },
    );
  });
}
