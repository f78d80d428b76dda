import assert from "node:assert/strict";
import { test } from "node:test";
import { colormap, parseHex, plotlyColorscale } from "../../../src/figures/colormap";

test("color maps run from dark to bright, the diverging one from blue to red, in Plotly's scale as in pixels", () => {
  const ends = {
    viridis: ["#440154", "#fde725"],
    magma: ["#000004", "#fcfdbf"],
    coolwarm: ["#3b4cc0", "#b40426"],
  };
  for (const name of ["viridis", "magma", "coolwarm"] as const) {
    const scale = plotlyColorscale(name);
    assert.deepEqual(
      [scale[0], scale.at(-1)],
      [
        [0, ends[name][0]],
        [1, ends[name][1]],
      ],
    );
    assert.ok(scale.every(([at], i) => i === 0 || at > scale[i - 1]![0]));
    assert.deepEqual([colormap(name, 0), colormap(name, 1)], ends[name].map(parseHex));
    assert.deepEqual([colormap(name, -1), colormap(name, 2)], ends[name].map(parseHex));
  }
  assert.deepEqual(
    colormap("coolwarm", 0.5).map((value) => Math.abs(value - 0xdd) < 4),
    [true, true, true],
  );
});
