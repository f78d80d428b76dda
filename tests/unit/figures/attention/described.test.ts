import assert from "node:assert/strict";
import { test } from "node:test";
import { quantizeRows } from "../../../../src/analysis/quantizedRows";
import { describeRow } from "../../../../src/figures/attention/staticImage";
import { syntheticMaps } from "../syntheticMaps";

test("a still image is described by the patch that its middle looks at most, whatever goes to the class token", () => {
  const maps = syntheticMaps({ grid: { rows: 3, columns: 3 }, layers: { "blocks.1": 1 } });
  const described = (row: readonly number[]) => {
    const pattern = quantizeRows(
      Float32Array.from({ length: 100 }, (_, i) => row[i % 10]!),
      10,
    );
    return describeRow({ title: "ViT", maps, layer: { ...maps.layers[0]!, pattern } });
  };
  const others = (row: readonly number[]) =>
    /looks most at (.*) \((.*)\s%\)\.$/.exec(described(row))?.slice(1);
  assert.deepEqual(others([0.6, 0.02, 0.02, 0.02, 0.02, 0.02, 0.24, 0.02, 0.02, 0.02]), [
    "the patch in row 2, column 3",
    "24.0",
  ]);
  assert.deepEqual(others([0.5, 0.02, 0.02, 0.02, 0.02, 1 / 3, 0.02, 0.02, 0.02, 0.02]), ["itself", "33.3"]);
  assert.deepEqual(others([0.02, 0.82, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02]), [
    "the patch in row 1, column 1",
    "82.0",
  ]);
});
