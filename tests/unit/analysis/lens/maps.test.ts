import assert from "node:assert/strict";
import { test } from "node:test";
import { isLensSite, LensMaps } from "../../../../src/analysis/lens/lens";
import { isLuvitError } from "../../nn/support";

const sample = { path: "a.png", label: 0, index: 0, image: new Float32Array(0) };
/** A class token and three patches of two classes. */
const logits = Float32Array.of(9, 0, 0, 1, Math.log(3), 0, 2, 2);
const maps = new LensMaps(
  sample,
  2,
  { rows: 1, columns: 3 },
  [{ site: "embed", logits, pooled: new Float32Array(2) }],
  1,
);

test("patches are counted behind the class token, and of equal classes the first is said", () => {
  assert.deepEqual([...maps.labels("embed")], [1, 0, 0]);
  const { label, probability } = maps.at("embed", 1);
  assert.deepEqual([label, probability.toFixed(6)], [0, "0.750000"]);
});

test("a patch that is not there is refused with those that are", () => {
  for (const patch of [-1, 3, 0.5, Number.NaN, "0" as unknown as number]) {
    assert.throws(() => maps.at("embed", patch), isLuvitError("bad-argument", "patch", "0 to 2"));
  }
});

test("a lens fits the residual stream and nothing else", () => {
  for (const name of [
    "embed",
    "blocks.11.out",
    "fusion.mapper1",
    "fusion.out",
    "llama.layers.0.middle",
    "llama.layers.1.out",
  ])
    assert.ok(isLensSite(name), name);
  for (const name of [
    "blocks.1.in",
    "blocks.1.attn.out",
    "llama.layers.0.in",
    "fusion.in",
    "fusion.mapper2",
    "pooled",
    "x.embed",
  ])
    assert.ok(!isLensSite(name), name);
});
