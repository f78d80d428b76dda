import assert from "node:assert/strict";
import { afterEach, before, test } from "node:test";
import { faithfulness } from "../../../../src/analysis";
import {
  areaUnder,
  blurKernel,
  blurred,
  bySaliency,
  steps,
} from "../../../../src/analysis/relevance/perturbation";
import { relevanceMaps } from "../../../../src/analysis/relevance/relevance";
import { softmaxOf } from "../../../../src/analysis/softmax";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import type { Classifier } from "../../../../src/models/classifier";
import { perturb } from "../../models/support";
import { assertClose } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyClassifier } from "../support";

before(() => startBackend());
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

async function given() {
  const model = tinyClassifier();
  perturb(model);
  const folder = await writeImages(temporaryFolder(), 2);
  return { model, set: await imageFolder(folder, { transform: transforms.evaluation(16) }) };
}

/** What the model gives a class of each image of a curve, one after the other. */
function chances(model: Classifier, images: Iterable<Float32Array>, label: number): number[] {
  return Array.from(images, (image) => {
    const logits = tf.tidy(() =>
      model
        .forward(tf.tensor(image, [1, 3, 16, 16]))
        .dataSync()
        .slice(),
    );
    return softmaxOf(logits)[label];
  });
}

test("deletion turns the image gray, insertion brings it back into its blur, both by falling relevance", async () => {
  const { model, set } = await given();
  const options = { methods: ["chefer"], step: 50, batchSize: 4, engine: "eager" } as const;
  const rows = (await faithfulness(model, set, options)).table.toArray();
  let at = 0;
  for await (const map of relevanceMaps(model, set, { method: "chefer", batchSize: 1, engine: "eager" })) {
    const { image } = map.sample;
    const order = bySaliency(map.pixels());
    const gray = new Float32Array(image.length);
    const soft = blurred(image, 16, 16, blurKernel());
    const area = (start: Float32Array, end: Float32Array) =>
      areaUnder(chances(model, steps(start, end, order, 50), map.label));
    assertClose([rows[at].deletion, rows[at].insertion], [area(image, gray), area(soft, image)], 1e-5);
    at++;
  }
  assert.equal(at, rows.length);
});

test("by default an image changes in 28 steps", async () => {
  const { model, set } = await given();
  const options = { methods: ["rollout"], engine: "eager" } as const;
  const images = set.subset([0]);
  const plain = await faithfulness(model, images, options);
  const same = await faithfulness(model, images, { ...options, step: Math.ceil(256 / 28) });
  assert.deepEqual(plain.table.toArray(), same.table.toArray());
});

test("without masks nothing is said of agreement with them", async () => {
  const { model, set } = await given();
  const found = await faithfulness(model, set, { methods: ["rollout"], step: 128, engine: "eager" });
  assert.deepEqual(
    found.summary.toArray().map(({ measure, images }) => [measure, images]),
    [
      ["deletion", set.length],
      ["insertion", set.length],
    ],
  );
});

test("one that is stopped gives the images until then, and is shown as stopped", async () => {
  const { model, set } = await given();
  const stop = new AbortController();
  const states: string[] = [];
  showWorkWith(() => ({ advance: () => stop.abort(), end: (state) => void states.push(state) }));
  const options = { methods: ["chefer", "rollout"], step: 128, engine: "eager" } as const;
  const { table } = await faithfulness(model, set, { ...options, signal: stop.signal });
  assert.deepEqual([table.numRows, states], [1, ["stopped"]]);
  showWorkWith(() => ({ advance: () => {}, end: (state) => void states.push(state) }));
  await faithfulness(model, set.subset([0]), options);
  assert.equal(states.at(-1), "done");
});
