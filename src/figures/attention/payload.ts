import { gzipSync } from "node:zlib";
import type { AttentionMaps, LayerAttention } from "../../analysis/attentionMaps";
import { LuvitError } from "../../core/errors";
import { formatNumber } from "../format";

/** The numbers of one layer in the order in which the page reads them. */
function layerBytes({ pattern, rollout, entropy }: LayerAttention): Buffer {
  const floats = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return Buffer.concat([
    pattern.levels,
    floats(pattern.greatest),
    floats(entropy),
    rollout.levels,
    floats(rollout.greatest),
  ]);
}

/** All layers of all models, compressed, base64. */
export function packLayers(models: readonly (readonly LayerAttention[])[]): string {
  return gzipSync(Buffer.concat(models.flat().map(layerBytes)), { level: 9 }).toString("base64");
}

/** Bytes that a layer takes in the page. */
function packedSize(layer: LayerAttention): number {
  return Math.ceil((gzipSync(layerBytes(layer), { level: 9 }).length * 4) / 3);
}

/**
 * The layers of each model that go into a page: those asked for, else all, else as many as fit, spread over the depth,
 * the last ViT block and the LLaMA blocks first.
 *
 * @throws LuvitError("bad-argument") for layers that are not there or do not fit.
 */
export function chooseLayers(
  models: readonly AttentionMaps[],
  wanted: readonly string[] | undefined,
  budget: number,
): LayerAttention[][] {
  const names = [...new Set(models.flatMap(({ layers }) => layers.map(({ layer }) => layer)))];
  const unknown = (wanted ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const known = names.join(", ");
    throw new LuvitError(
      "bad-argument",
      `attentionViewer: no maps of ${unknown.join(", ")}; there are ${known}`,
    );
  }
  const sizes = new Map(names.map((name) => [name, 0]));
  for (const layer of models.flatMap(({ layers }) => layers)) {
    if (wanted && !wanted.includes(layer.layer)) continue;
    sizes.set(layer.layer, sizes.get(layer.layer)! + packedSize(layer));
  }
  const sizeOf = (chosen: readonly string[]) => chosen.reduce((sum, name) => sum + sizes.get(name)!, 0);
  const candidates = wanted ? [wanted] : spreads(names);
  const chosen = candidates.find((some) => sizeOf(some) <= budget);
  if (chosen) return models.map(({ layers }) => layers.filter(({ layer }) => chosen.includes(layer)));
  const least = candidates[candidates.length - 1]!;
  throw new LuvitError(
    "bad-argument",
    `attentionViewer: ${least.join(", ")} take ${formatNumber(sizeOf(least))} bytes, ${formatNumber(budget)} are left ` +
      "in the page; choose fewer layers or a greater maxBytes",
  );
}

/** All names, then fewer and fewer of them, down to one. */
function spreads(names: readonly string[]): string[][] {
  const blocks = names.filter((name) => name.startsWith("blocks."));
  const others = names.filter((name) => !name.startsWith("blocks."));
  const some: string[][] = [[...names]];
  for (let count = blocks.length - 1; count >= 1; count--) {
    const kept = new Set(
      Array.from({ length: count }, (_, i) => blocks[spreadIndex(i, count, blocks.length)]),
    );
    some.push(names.filter((name) => kept.has(name) || others.includes(name)));
  }
  some.push([blocks[blocks.length - 1] ?? names[names.length - 1]!]);
  return some;
}

/** Position i of `count` spread from the first to the last of `length`; alone, the last. */
function spreadIndex(i: number, count: number, length: number): number {
  return count === 1 ? length - 1 : Math.round((i * (length - 1)) / (count - 1));
}
