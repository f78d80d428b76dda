import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type MethodOptions, type RelevanceMethod, relevance } from "../../../../src/analysis/relevance";
import { explainerOf } from "../../../../src/analysis/relevance/methods";
import { fuseHeads, rollout, rolloutOfPatches } from "../../../../src/analysis/relevance/rollout";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import * as classifier from "../../../../src/models/classifier";
import { assertClose } from "../../nn/support";
import { tinyViT } from "../../train/support";
import { inMemory, smallClassifier } from "../imagesInMemory";

before(() => startBackend());

/** Four patches; two layers. */
const model = (options: Partial<classifier.ClassifierOptions> = {}, encoder: object = {}) =>
  classifier.create({ encoder: { ...tinyViT, ...encoder }, classes: 2, pooling: "cls", ...options });
/** The map that a method makes of a graph's numbers. */
const mapOf = (
  of: classifier.Classifier,
  method: RelevanceMethod,
  results: Record<string, number[]>,
  options: MethodOptions = {},
) => {
  const given = Object.entries(results).map(([name, values]) => [name, Float32Array.from(values)]);
  return explainerOf(of, method, options).patches(Object.fromEntries(given));
};
const zeros = (tokens: number) => new Array<number>(tokens ** 2).fill(0);
/** Distinct weights, the first the smallest. */
const weights = (tokens: number, step: number) =>
  Array.from({ length: tokens ** 2 }, (_, i) => (i === 0 ? 0.09 : 0.1 + ((i * step) % 26) / 26));

test("what the class token has of itself is spared by rollout alone, and where there is no such token by nothing", () => {
  const expected = (tokens: number, layers: number[][], spareClass: boolean, first: number) => {
    const rolled = rollout(layers, tokens, { discard: 0.3, spareClass });
    const map = rolloutOfPatches(rolled, tokens, first === 1 ? "cls" : "mean", 4, first);
    return map.map((x) => x / Math.max(...map));
  };
  const cls = [weights(5, 7), weights(5, 11)];
  const bare = [weights(4, 7), weights(4, 11)];
  const of = (name: RelevanceMethod, layers: number[][], made = model()) =>
    mapOf(made, name, { "blocks.0": layers[0], "blocks.1": layers[1] }, { discard: 0.3 });
  assertClose(of("rollout", cls), expected(5, cls, true, 1), 1e-6);
  assertClose(of("gradient-rollout", cls), expected(5, cls, false, 1), 1e-6);
  assert.ok(of("rollout", cls).some((x, i) => Math.abs(x - of("gradient-rollout", cls)[i]) > 1e-3));
  const plain = model({ pooling: "mean" }, { classToken: false });
  const free = expected(4, bare, false, 0);
  assertClose(of("rollout", bare, plain), free, 1e-6);
  assertClose(of("gradient-rollout", bare, plain), free, 1e-6);
  assert.ok(expected(4, bare, true, 0).some((x, i) => Math.abs(x - free[i]) > 1e-3));
});

test("layers take part in the order of the model, and those that were not asked for take none", () => {
  const results = { "blocks.0": weights(5, 7), "blocks.1": weights(5, 11) };
  const turned = mapOf(model(), "rollout", results, { layers: ["blocks.1", "blocks.0"] });
  assert.deepEqual(turned, mapOf(model(), "rollout", results));
  const alone = mapOf(model(), "rollout", results, { layers: ["blocks.1"] });
  const row = results["blocks.1"].slice(1, 5);
  assertClose(
    alone,
    row.map((x) => x / Math.max(...row)),
    1e-6,
    "the class token's row of the one layer",
  );
});

test("rollout leaves registers out of the map, is 1 at its largest patch, and 0 where nothing is looked at", () => {
  const seen = zeros(7);
  seen.splice(0, 7, 5, 1, 2, 4, 3, 9, 9);
  const registers = { layers: ["blocks.0"] };
  const withRegisters = model({}, { registers: 2 });
  assertClose(
    mapOf(withRegisters, "rollout", { "blocks.0": seen }, registers),
    [0.25, 0.5, 1, 0.75],
    1e-6,
    "the class token's row",
  );
  const none = { "blocks.0": zeros(5), "blocks.1": zeros(5) };
  for (const method of ["rollout", "gradient-rollout"] as const)
    assert.deepEqual([...mapOf(model(), method, none)], [0, 0, 0, 0]);
  assert.deepEqual([...mapOf(model({ pooling: "mean" }), "rollout", none)], [1, 1, 1, 1]);
});

test("the attention that pools weighs the rows of the layers before it", () => {
  const pooled = model({ pooling: "attention" }, { classToken: false });
  const pool = [0.1, 0.2, 0.3, 0.4];
  for (const method of ["rollout", "gradient-rollout"] as const) {
    const results = { "blocks.0": zeros(4), "blocks.1": zeros(4), "attn_pool.pattern": pool };
    assertClose(mapOf(pooled, method, results), [0.25, 0.5, 0.75, 1], 1e-6, method);
  }
});

test("Grad-CAM takes the positive part of every layer, scales it and averages, for patches as for pixels", () => {
  const layers = ["blocks.0", "blocks.1"];
  const results = { "blocks.0": [-1, 2, 4, 0], "blocks.1": [1, 1, 3, 1] };
  assertClose(mapOf(model(), "gradcam", results, { layers }), [0, 0.25, 1, 0], 1e-6);
  assertClose(mapOf(model(), "gradcam", results), [0, 0, 1, 0], 1e-6, "of the last block by default");
  const size = { rows: 2, columns: 2 };
  const given = { "blocks.0": Float32Array.of(-1, 2, 4, 0), "blocks.1": Float32Array.of(1, 1, 3, 1) };
  const explainer = explainerOf(model(), "gradcam", { layers });
  assertClose(explainer.pixels(given, size, size), [0, 0.25, 1, 0], 1e-6);
});

test("the maps of chefer and LeGrad are given as they come, and shown from 0 to 1", () => {
  const map = Float32Array.of(1, 3, 2, 1);
  for (const method of ["chefer", "legrad"] as const) {
    const explainer = explainerOf(model(), method);
    assert.deepEqual([...explainer.patches({ map })], [1, 3, 2, 1]);
    const [from, to] = [
      { rows: 1, columns: 4 },
      { rows: 2, columns: 4 },
    ];
    assertClose(explainer.pixels({ map }, from, to), [0, 1, 0.5, 0, 0, 1, 0.5, 0], 1e-6);
  }
});

test("each method looks at a whole image by the rule for positions that it is given", async () => {
  const set = inMemory({ count: 1, shapes: [[8, 12]] });
  const layers = ["blocks.0"]; // behind whose input Grad-CAM has evidence, of a class token's model too
  for (const of of [smallClassifier({ pooling: "cls" }), smallClassifier()])
    for (const method of ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const) {
      const by = async (positions: "mae" | "dino") =>
        (await relevance(of, set, { method, positions, class: 0, layers, engine: "eager" }))[0];
      const [mae, dino] = [await by("mae"), await by("dino")];
      assert.deepEqual([mae.grid, mae.size], [{ rows: 2, columns: 3 }, { rows: 8, columns: 12 }]); // biome-ignore format: a pair
      assert.equal(mae.patches.length, 6);
      assert.notDeepEqual(mae.patches, dino.patches, `${method}, ${of.pooling}`);
    }
});

test("heads of the attention that pools become one as those of the layers do", async () => {
  const of = smallClassifier({ pooling: "attention" });
  const images = tf.randomNormal([1, 3, 12, 12], 0, 1, "float32", 5);
  const seen = new Map<string, Tensor>();
  of.forward(images, { tap: (name, value) => void seen.set(name, value) });
  for (const heads of ["mean", "max", "min"] as const) {
    const results = explainerOf(of, "rollout", { heads }).traced(images, (logits) => logits);
    for (const [name, pattern] of Object.entries({
      "blocks.0": "blocks.0.attn.pattern",
      "attn_pool.pattern": "attn_pool.pattern",
    }))
      assertClose(results[name].dataSync(), fuseHeads(seen.get(pattern)!, heads).dataSync(), 1e-6, heads);
  }
});
