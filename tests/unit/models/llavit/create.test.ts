import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { optimize, trace } from "../../../../src/graph";
import type { Llavit } from "../../../../src/models/llavit/llavit";
import { answerTargets, NOT_COUNTED } from "../../../../src/models/llavit/targets";
import { parameterShapes, withTracedParameters } from "../../../../src/nn/modelState";
import { trainableVariables } from "../../../../src/nn/variables";
import { hostParameters } from "../../../golden/support";
import { openGraph, withOnnxRuntime } from "../../engine/support";
import { isLuvitError, maxDifference, valuesOf } from "../../nn/support";
import { hostGradients, perturb } from "../support";
import {
  luvitTower,
  plainTower,
  qwenLanguage,
  start,
  tinyLanguage,
  tinyLlavit,
  tinySequences,
} from "./support";

before(() => startBackend());

const logitsOf = (model: Llavit) => valuesOf(() => model.forward(tinySequences(), start));

async function compiledLogits(model: Llavit): Promise<Float32Array> {
  const { images, ids } = tinySequences();
  const graph = trace("logits", {
    inputs: { images: { shape: images.shape }, ids: { shape: ids.shape, dtype: "int32" } },
    state: parameterShapes(model),
    body: (fed, state) =>
      withTracedParameters(model, state, () => ({ logits: model.forward(fed as never, start) })),
  });
  const parameters = Object.fromEntries(await hostParameters(model)) as Record<string, Float32Array>;
  const executor = await openGraph(optimize(graph), parameters, { threads: 1 });
  const feeds = { images: images.dataSync<"float32">(), ids: ids.dataSync<"int32">() as Int32Array };
  const { logits } = await executor.run("step", feeds);
  await executor.dispose();
  return logits;
}

describe("before it is trained", () => {
  for (const [name, language] of [
    ["LLaMA", tinyLanguage],
    ["Qwen2, with biases and grouped heads", qwenLanguage],
  ] as const) {
    test(`copied q, k and v with a causal mask are LLaVA to the bit: ${name}`, async () => {
      const llava = await tinyLlavit({ language: language() });
      const own = await tinyLlavit({ language: language(), visionQkv: "full" });
      assert.ok(own.counts().total > llava.counts().total);
      assert.deepEqual(logitsOf(own), logitsOf(llava));
    });

    test(`the same on onnxruntime: ${name}`, withOnnxRuntime, async () => {
      const llava = await tinyLlavit({ language: language() });
      const own = await tinyLlavit({ language: language(), visionQkv: "full" });
      assert.deepEqual(await compiledLogits(own), await compiledLogits(llava));
    });

    test(`low-rank updates change nothing either: ${name}`, async () => {
      const llava = await tinyLlavit({ language: language() });
      const own = await tinyLlavit({ language: language(), visionQkv: "lora", rank: 3 });
      assert.deepEqual(logitsOf(own), logitsOf(llava));
    });
  }
});

test("text without an image does not know that there are matrices for images", async () => {
  const ids = tf.tensor2d([[3, 1, 4, 1, 5]], [1, 5], "int32");
  const [own, plain] = [await tinyLlavit({ visionQkv: "full" }), await tinyLlavit()];
  perturb(own, (path) => path.includes("vision_"));
  const logits = ({ language }: Llavit) => valuesOf(() => language.forward(ids));
  assert.deepEqual(logits(own), logits(plain));
});

test("once changed, a vision matrix moves what images say, and never what stands before them", async () => {
  const model = await tinyLlavit({ visionQkv: "full", visionBlocks: [2] });
  const was = logitsOf(model);
  assert.deepEqual(model.describe().visionQkv, { kind: "full", blocks: [2], rank: null, alpha: null });
  perturb(model, (path) => path.includes("vision_wk"));
  const now = logitsOf(model);
  const before = start * 256;
  assert.deepEqual(now.subarray(0, before), was.subarray(0, before));
  assert.ok(maxDifference(now.subarray(before, 16 * 256), was.subarray(before, 16 * 256)) > 1e-3);
});

test("the original models are left as they are", async () => {
  const [tower, language] = [plainTower(), tinyLanguage()];
  const model = await tinyLlavit({ tower, language, visionQkv: "full" });
  assert.ok([...tower.namedParameters()].every(([, p]) => p.trainable));
  perturb(model);
  const fresh = tinyLanguage();
  assert.deepEqual(await language.stateDict(), await fresh.stateDict());
});

test("with tokens of the image seeing each other a later patch changes an earlier one's logits", async () => {
  const ofFirstPatch = (visionMask: "causal" | "bidirectional" | "none") =>
    tinyLlavit({ visionMask }).then((model) => {
      const context = {};
      const first = (scale: number) =>
        valuesOf(() => {
          const { images, ids } = tinySequences();
          const visual = model.see(images);
          const last = tf.mul(visual, tf.concat([tf.ones([1, 8, 1]), tf.fill([1, 1, 1], scale)], 1));
          const hidden = model.language.hidden(
            model.splice(last, ids, start),
            model.contextAt(start, 16, context),
          );
          return tf.slice(hidden, [0, start, 0], [1, 1, hidden.shape[2]!]);
        });
      return maxDifference(first(1), first(3));
    });
  assert.equal(await ofFirstPatch("causal"), 0);
  assert.equal(await ofFirstPatch("none"), 0);
  assert.ok((await ofFirstPatch("bidirectional")) > 1e-4);
});

test("a LUViT is a tower: its last layer is what leaves the language block", async () => {
  const tower = luvitTower();
  const model = await tinyLlavit({ tower, layers: [1, 2] });
  assert.equal(model.mm_projector.layers[0].inputs, 2 * 16);
  const was = logitsOf(model);
  perturb(model, (path) => path.startsWith("vision_tower.llama."));
  assert.ok(maxDifference(logitsOf(model), was) > 1e-3);
  assert.deepEqual(
    [...model.namedParameters()].filter(([path, p]) => path.startsWith("vision_tower.") && p.trainable),
    [],
  );
});

test("only what is answered counts, and everything but the tower learns from it", async () => {
  const model = await tinyLlavit({ visionQkv: "full", visionMask: "bidirectional" });
  const labels = Array.from({ length: 2 }, () => new Array<number>(16).fill(NOT_COUNTED));
  [labels[0][14], labels[0][15], labels[1][14]] = [65, 10, 66];
  const fed = (most?: number) => {
    const { rows, targets } = answerTargets(labels, 256, most);
    return {
      ...tinySequences(),
      rows: tf.tensor1d(rows, "int32"),
      targets: tf.tensor2d(targets, [rows.length, 256]),
    };
  };
  const loss = valuesOf(() => model.loss(fed(), start))[0];
  assert.ok(Math.abs(valuesOf(() => model.loss(fed(8), start))[0] - loss) < 1e-6);
  const byHand = valuesOf(() => {
    const scores = tf.logSoftmax(model.forward(tinySequences(), start));
    const at = (b: number, t: number, token: number) => tf.slice(scores, [b, t, token], [1, 1, 1]);
    return tf.neg(tf.div(tf.add(tf.add(at(0, 13, 65), at(0, 14, 10)), at(1, 13, 66)), 3));
  })[0];
  assert.ok(Math.abs(byHand - loss) < 1e-5);
  const gradients = hostGradients(() => model.loss(fed(8), start), trainableVariables(model));
  const still = [...gradients].filter(([, g]) => g.every((x) => x === 0)).map(([path]) => path);
  // What tokens of the image ask in the last block nobody hears: only answers are read there.
  assert.deepEqual(still, ["layers.2.attention.vision_wq.weight"]);
  assert.equal(gradients.size, [...model.namedParameters()].filter(([, p]) => p.trainable).length);
  for (const wrong of [[], [[NOT_COUNTED, 300]]])
    assert.throws(() => answerTargets(wrong, 256), isLuvitError("bad-argument", "answers"));
});

test("parts that do not fit are refused by name", async () => {
  const parts = { tower: plainTower(), language: tinyLanguage() };
  const refused = (more: object, ...texts: string[]) =>
    assert.rejects(tinyLlavit({ ...parts, ...more }), isLuvitError("bad-argument", ...texts));
  await refused({ layers: [1, 7] }, "layers", "7", "0 to 2");
  await refused({ visionQkv: "full", visionBlocks: [4] }, "visionBlocks", "4", "1 to 3");
  await refused({ visionQkv: "full", visionBlocks: [2, 2] }, "visionBlocks");
  await refused({ language: tinyLanguage({ causal: false }) }, "not causal");
  await refused({ language: tinyLanguage({ vocabulary: 40 }) }, "256 tokens", "40");
  await refused({ visionMask: "both" }, "visionMask");
});
