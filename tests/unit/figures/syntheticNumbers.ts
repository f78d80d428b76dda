import type { AttentionMaps } from "../../../src/analysis/attentionMaps";
import { Rng } from "../../../src/core/rng";
import type { Numbers } from "../../../src/figures/attention/browser/evidence";

/** Numbers as `lookInside` gathers them, drawn at random: `classes` that can be chosen, labels among `labels`. */
export function syntheticNumbers(
  maps: AttentionMaps,
  { classes, labels = classes, seed = 1 }: { classes: number; labels?: number; seed?: number },
): Numbers {
  const rng = new Rng(seed);
  const [tokens, patches, stages] = [maps.tokens, maps.tokens - 1, maps.layers.length];
  const heads = maps.layers.reduce((sum, layer) => sum + layer.heads, 0);
  const floats = (count: number, draw: () => number) => Float32Array.from({ length: count }, draw);
  const levels = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(256 * rng.uniform()));
  const chosen = (count: number) =>
    Uint16Array.from({ length: count }, () => Math.floor(labels * rng.uniform()));
  const lnp = () => Math.log(0.02 + 0.2 * rng.uniform());
  return new Map<string, Uint8Array | Uint16Array | Float32Array>([
    ["answer", floats(classes, lnp)],
    ["answer.label", Uint16Array.of(0)],
    ["answer.chance", Float32Array.of(0.61)],
    ["relevance.chefer", levels(classes * patches)],
    ["relevance.legrad", levels(classes * patches)],
    ["lens.label", chosen(stages * tokens)],
    ["lens.chance", levels(stages * tokens)],
    ["lens.choices", levels(stages * classes * tokens)],
    ["norms", floats(stages * patches, () => 5 + 40 * rng.uniform())],
    ["heads.entropy", floats(heads, () => 5 * rng.uniform())],
    ["heads.distance", floats(heads, () => 8 * rng.uniform())],
    ["heads.answer", floats(heads * classes, lnp)],
    ["heads.label", chosen(heads)],
    ["heads.chance", floats(heads, () => rng.uniform())],
  ]);
}
