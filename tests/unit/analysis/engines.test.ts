import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  ablateHeads,
  attentionDistances,
  attentionEntropy,
  extractFeatures,
  faithfulness,
  lens,
  patchActivations,
  reconstruct,
  relevance,
  tokenNorms,
} from "../../../src/analysis";
import { suite } from "../../../src/analysis/suite";
import { LuvitError } from "../../../src/core/errors";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { evaluate } from "../../../src/train/evaluate";
import { temporaryFolder, tinyClassifier, tinyMae, writeImages } from "../train/support";

before(async () => void (await startBackend()));

test("what an analysis computed with is given back when it is over, whether it went well or not", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  const other = await imageFolder(set.root, { transform: transforms.evaluation(24) });
  const [classifier, mae] = [tinyClassifier(), tinyMae()];
  const engine = { engine: "eager" } as const;
  const uses: Record<string, (images: typeof set) => Promise<unknown>> = {
    evaluate: (images) => evaluate(classifier, images, engine),
    reconstruct: (images) => reconstruct(mae, images, engine),
    attentionEntropy: (images) => attentionEntropy(classifier, images, engine),
    extractFeatures: (images) => extractFeatures(classifier, images, engine),
    relevance: (images) => relevance(classifier, images, engine),
    lens: (images) => lens(classifier, images, engine),
    tokenNorms: (images) => tokenNorms(mae, images, engine),
    attentionDistances: (images) => attentionDistances(mae, images, engine),
    ablateHeads: (images) => ablateHeads(classifier, images, engine),
    patchActivations: (images) => patchActivations(classifier, images, images, engine),
    faithfulness: (images) => faithfulness(classifier, images, { ...engine, methods: ["chefer"], step: 128 }),
    suite: (images) => suite(classifier, { in1k: images }, engine).done,
  };
  for (const [name, use] of Object.entries(uses)) {
    await use(set); // initial weights are made at the first use
    const { numTensors } = tf.memory();
    await use(set);
    assert.equal(tf.memory().numTensors, numTensors, name);
    await assert.rejects(use(other), LuvitError, name);
    assert.equal(tf.memory().numTensors, numTensors, `${name} of images that do not fit`);
  }
});
