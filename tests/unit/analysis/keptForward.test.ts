import assert from "node:assert/strict";
import { before, mock, test } from "node:test";
import * as analysis from "../../../src/analysis";
import { releaseKept, takeForward } from "../../../src/analysis/keptForward";
import { startBackend, tf } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import type { EngineOptions } from "../../../src/engine";
import type * as Compiling from "../../../src/nn/compile";
import type { Forward } from "../../../src/train/forward";
import { images, tinyClassifier } from "../train/support";

before(() => startBackend());

const compiling = require("../../../src/nn/compile") as typeof Compiling;

function imitation() {
  const closed: number[] = [];
  let opened = 0;
  const open = async (): Promise<Forward> => {
    const number = opened++;
    const dispose = async () => void closed.push(number);
    return { engine: "none", isGraph: true, run: async () => ({}), dispose };
  };
  return { open, closed, count: () => opened };
}

test("what was given back is had again, until a weight is another or another is asked for", async () => {
  const model = tinyClassifier();
  const { open, closed, count } = imitation();
  const use = async (key: string) => (await takeForward(model, key, open)).giveBack();
  await use("a");
  await use("a");
  assert.deepEqual([count(), closed], [1, []]);
  const { value } = model.head.weight;
  await use("a");
  value.assign(tf.mul(value, 2));
  await use("a");
  assert.equal(closed.at(-1), count() - 2, "the weights were changed");
  const before = count();
  await use("b");
  assert.deepEqual([count(), closed.at(-1)], [before + 1, before - 1]);
  await releaseKept();
  assert.equal(closed.length, count());
});

test("two that ask at once have one each", async () => {
  const model = tinyClassifier();
  const { open, closed, count } = imitation();
  const [one, other] = await Promise.all([takeForward(model, "a", open), takeForward(model, "a", open)]);
  assert.equal(count(), 2);
  assert.notEqual(one.forward, other.forward);
  await one.giveBack();
  await other.giveBack();
  assert.deepEqual(closed, [0]);
  await releaseKept();
});

test("maps of a model that was trained on are those of the new weights", async () => {
  const model = tinyClassifier();
  const image = { data: new Uint8Array(3 * 256).map((_, i) => (5 * i) % 256), width: 16, height: 16 };
  const of = async () => (await analysis.relevance(model, image, { class: 1, engine: "onnxruntime" }))[0];
  const [first, again] = [await of(), await of()];
  assert.deepEqual(again.patches, first.patches);
  const { value } = model.head.weight;
  value.assign(tf.mul(value, 3));
  const changed = await of();
  assert.notDeepEqual(changed.patches, first.patches);
  await releaseKept();
});

type Classifying = ReturnType<typeof tinyClassifier>;
type Set = Awaited<ReturnType<typeof images>>;

/** Analyses of a few images, each with the rest of what it may be told. */
const analyses: Record<string, (model: Classifying, set: Set, engine: EngineOptions) => Promise<unknown>> = {
  extractFeatures: (model, set, engine) =>
    analysis.extractFeatures(model, set, {
      ...engine,
      positions: "dino",
      graphs: 2,
      batchSize: 1,
      pool: "patches",
    }),
  attentionEntropy: (model, set, engine) =>
    analysis.attentionEntropy(model, set, { ...engine, positions: "mae" }),
  patchMaps: (model, set, engine) =>
    analysis.patchMaps(model, set, { ...engine, layer: "blocks.1", batchSize: 2 }),
  attentionMaps: (model, set, engine) =>
    analysis.attentionMaps(model, set, { ...engine, index: 0, graphs: 1 }),
  entropyShares: (model, set, engine) =>
    analysis.entropyShares(model, { set }, { ...engine, seed: 3, keepEvery: 2 }),
  lens: (model, set, engine) => analysis.lens(model, set, { ...engine, sites: ["embed"], batchSize: 1 }),
  trainLensProbes: (model, set, engine) =>
    analysis.trainLensProbes(model, set, { ...engine, sites: ["embed"], epochs: 2, batchSize: 2 }),
  ablateHeads: (model, set, engine) =>
    analysis.ablateHeads(model, set, { ...engine, model: "m", replaceBy: "zero" }),
  patchActivations: (model, set, engine) =>
    analysis.patchActivations(model, set, set, { ...engine, tokens: "class", batchSize: 1 }),
};

for (const [name, look] of Object.entries(analyses))
  test(`all that is said of the engine reaches it, and nothing else: ${name}`, async () => {
    const [model, set] = [tinyClassifier(), (await images(transforms.evaluation)).take(2)];
    const engines: EngineOptions[] = [
      {},
      { engine: "onnxruntime", threads: 3, provider: "cpu", precision: "float16" },
      { engine: "eager" },
      { threads: 1, frozen: "int8", tf32: true },
    ];
    for (const engine of engines) {
      const compiled = mock.method(compiling, "compile", async () => {
        throw new Error("not run");
      });
      await assert.rejects(look(model, set, engine), /not run/);
      assert.deepEqual((compiled.mock.calls[0].arguments as unknown[])[2], engine);
      compiled.mock.restore();
    }
  });
