import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  answerTo,
  asEnd,
  forAnswer,
  meanOfPatches,
  patchesAmong,
  readTokens,
  stagesOf,
} from "../../../src/analysis/stages";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { randomBlock } from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import { mlp, through } from "../../../src/models/fusion";
import { perturb, tinyBlock, tinyImages, tinyLlama, tinyViT } from "../models/support";
import { assertClose } from "../nn/support";

before(() => startBackend());

const two = () => randomBlock(tinyLlama, { depth: 2 });
const kinds: Record<string, { layers: string[]; options: Omit<classifier.ClassifierOptions, "classes"> }> = {
  "a ViT": { layers: ["blocks.0", "blocks.1"], options: { encoder: tinyViT } },
  "a class token with registers": {
    layers: ["blocks.0", "blocks.1"],
    options: { encoder: { ...tinyViT, registers: 2 }, pooling: "cls" },
  },
  "a block behind the ViT": {
    layers: ["blocks.0", "blocks.1", "llama.layers.0"],
    options: { encoder: tinyViT, fusion: through(tinyBlock()), pooling: "cls" },
  },
  "two blocks in the middle, which tokens also pass by": {
    layers: ["blocks.0", "llama.layers.0", "llama.layers.1", "blocks.1"],
    options: { encoder: tinyViT, fusion: through(two(), { after: 1, residual: true }) },
  },
  "two blocks behind, which tokens also pass by": {
    layers: ["blocks.0", "blocks.1", "llama.layers.0", "llama.layers.1"],
    options: { encoder: { ...tinyViT, registers: 1 }, fusion: through(two(), { residual: true }) },
  },
  "mappers alone": { layers: ["blocks.0", "blocks.1"], options: { encoder: tinyViT, fusion: mlp(20) } },
  "no class token, and a pool by attention": {
    layers: ["blocks.0", "blocks.1"],
    options: { encoder: { ...tinyViT, classToken: false }, pooling: "attention" },
  },
};

for (const [name, { layers, options }] of Object.entries(kinds)) {
  test(`layers stand in the order in which they run, each from its input to its output: ${name}`, () => {
    const model = classifier.create({ ...options, classes: 3 });
    perturb(model);
    const seen = new Map<string, Tensor>();
    const logits = model.forward(tinyImages(2), { tap: (place, value) => void seen.set(place, value) });
    const stages = stagesOf(model);
    assert.deepEqual(
      stages.map(({ layer }) => layer),
      layers,
    );
    const order = [...seen.keys()];
    for (const { layer, input, output, pattern, run } of stages) {
      const places = [input, pattern, output].map((place) => order.indexOf(place));
      assert.ok(places[0] >= 0 && places[0] < places[1] && places[1] < places[2], layer);
      const patterns: string[] = [];
      const tap = (place: string) => void (place.endsWith(".pattern") && patterns.push(place));
      const value = run(seen.get(input)!, { tap });
      assertClose(value.dataSync(), seen.get(output)!.dataSync(), 1e-5, layer);
      assert.deepEqual(patterns, [pattern]);
      if (!("registers" in options.encoder)) {
        const first = run(seen.get(input)!, {}, 2);
        const [batch, , dim] = value.shape;
        assertClose(first.dataSync(), tf.slice(value, [0, 0, 0], [batch, 2, dim!]).dataSync(), 1e-5);
      }
    }
    const end = layers.at(-1)!;
    const last = name === "mappers alone" || end.startsWith("llama.") ? "fusion.out" : "blocks.1.out";
    assertClose(answerTo(model, seen.get(last)!).dataSync(), logits.dataSync(), 1e-5, "the answer");
    const inside = [`${end}.out`, "fusion.block"].filter(
      (place) => end.startsWith("llama.") || place === "fusion.block",
    );
    for (const place of inside.filter((one) => seen.has(one))) {
      const ended = asEnd(model, place, seen.get(place)!, seen.get("fusion.in"));
      assertClose(ended.dataSync(), seen.get("fusion.out")!.dataSync(), 1e-5, `${place} through the mapper`);
    }
    assert.equal(asEnd(model, "blocks.0.out", seen.get("blocks.0.out")!), seen.get("blocks.0.out"));
  });
}

test("what is read of a token alone is what the head gets where it is the only one", () => {
  for (const [encoder, pooling] of [
    [tinyViT, "cls"],
    [tinyViT, "mean"],
    [{ ...tinyViT, classToken: false }, "attention"],
  ] as const) {
    const model = classifier.create({ encoder, pooling, classes: 3 });
    perturb(model);
    const tokens = tf.randomNormal([2, 4, 16], 0, 1, "float32", 3);
    const read = model.head.forward(readTokens(model, tokens)).arraySync() as number[][][];
    const one = tf.slice(tokens, [1, 2, 0], [1, 1, 16]);
    const alone = pooling === "mean" ? tf.tile(one, [1, 10, 1]) : one;
    assertClose(read[1][2], answerTo(model, alone).dataSync(), 1e-5, pooling);
  }
});

test("patches are counted without the class token and registers, and averaged alone", () => {
  const of = (encoder: object) => ({ encoder: { firstPatch: 1, config: {}, ...encoder } }) as never;
  assert.equal(patchesAmong(of({}), 10), 9);
  assert.equal(patchesAmong(of({ config: { registers: 3 } }), 13), 9);
  assert.equal(patchesAmong(of({ firstPatch: 0 }), 9), 9);
  const tokens = tf.tensor([100, 1, 2, 6, 50], [1, 5, 1]);
  assertClose(meanOfPatches(of({ config: { registers: 1 } }), tokens).dataSync(), [3], 1e-6);
  assertClose(meanOfPatches(of({ firstPatch: 0 }), tokens).dataSync(), [159 / 5], 1e-6);
  assert.deepEqual(forAnswer({ pooling: "cls" }), { lastQueries: 1 });
  assert.deepEqual([forAnswer({ pooling: "mean" }), forAnswer({ pooling: "attention" })], [{}, {}]);
});
