import { AttentionMaps } from "../../../src/analysis/attentionMaps";
import { quantizeRows } from "../../../src/analysis/quantizedRows";
import { Rng } from "../../../src/core/rng";

/** Attention drawn at random: rows are a softmax, sharper with `sharpness`; the rollout is that of the first head. */
export function syntheticMaps(options: {
  /** Rows and columns of patches; a number for both. */
  grid: number | { rows: number; columns: number };
  layers: Readonly<Record<string, number>>;
  side?: number;
  seed?: number;
  sharpness?: number;
}): AttentionMaps {
  const { layers, side = 32, seed = 1, sharpness = 2 } = options;
  const grid =
    typeof options.grid === "number" ? { rows: options.grid, columns: options.grid } : options.grid;
  const [patches, patch] = [grid.rows * grid.columns, side / grid.columns];
  const rng = new Rng(seed);
  const tokens = patches + 1;
  const softmaxRow = () => {
    const powers = Float32Array.from({ length: tokens }, () => Math.exp(sharpness * (2 * rng.uniform() - 1)));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  };
  const made = Object.entries(layers).map(([layer, heads]) => {
    const weights = new Float32Array(heads * tokens * tokens);
    const entropy = new Float32Array(heads * tokens);
    for (let row = 0; row < heads * tokens; row++) {
      const values = softmaxRow();
      weights.set(values, row * tokens);
      entropy[row] = -values.reduce((sum, p) => sum + p * Math.log(p), 0);
    }
    const rollout = quantizeRows(weights.slice(0, tokens * tokens), tokens);
    return { layer, heads, pattern: quantizeRows(weights, tokens), rollout, entropy };
  });
  const image = Float32Array.from(
    { length: 3 * patches * patch ** 2 },
    (_, i) => Math.sin(i / (side * 3)) + rng.uniform() / 4,
  );
  const foreground = Uint8Array.from({ length: patches }, (_, i) =>
    i % grid.columns < grid.columns / 2 ? 1 : 0,
  );
  const valid = new Uint8Array(patches).fill(1);
  return new AttentionMaps(
    { image, label: 0, path: "synthetic.png", index: 0, foreground, valid },
    grid,
    made,
  );
}
