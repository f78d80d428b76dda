import { gzipSync } from "node:zlib";
import type { AttentionMaps, LayerAttention } from "../../analysis/attentionMaps";
import { LuvitError } from "../../core/errors";
import { formatNumber } from "../format";
import { coarseRows } from "./coarseRows";

/** How the layers go into a page, by name: queries one by one (1), or the mean of blocks of step × step of them. */
export type LayerSteps = ReadonlyMap<string, number>;

/** The numbers of one layer in the order in which the page reads them. */
function layerBytes(layer: LayerAttention, columns: number, step: number): Buffer {
  const pattern = coarseRows(layer.pattern, columns, step);
  const rollout = coarseRows(layer.rollout, columns, step);
  return Buffer.concat(
    [pattern.levels, pattern.greatest, layer.entropy, rollout.levels, rollout.greatest].map(bytesOf),
  );
}

function bytesOf(values: Uint8Array | Uint16Array | Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** The chosen layers of all models and the numbers beside each, compressed, base64. */
export function packModels(
  models: readonly { maps: AttentionMaps; numbers: Iterable<Uint8Array | Uint16Array | Float32Array> }[],
  steps: LayerSteps,
): string {
  const parts = models.flatMap(({ maps: { layers, grid }, numbers }) => [
    ...layers
      .filter(({ layer }) => steps.has(layer))
      .map((layer) => layerBytes(layer, grid.columns, steps.get(layer.layer)!)),
    ...[...numbers].map(bytesOf),
  ]);
  return inBase64(Buffer.concat(parts));
}

function inBase64(bytes: Buffer): string {
  return gzipSync(bytes, { level: 9 }).toString("base64");
}

/**
 * About what `inBase64` makes of it, by a quicker compression; together with other bytes they may take a little more, since
 * one code then serves numbers of several kinds.
 */
function sizeInBase64(bytes: Buffer): number {
  return 4 * Math.ceil(gzipSync(bytes, { level: 5 }).length / 3);
}

/** About the bytes that numbers take in the page. */
export function packedSize(numbers: Iterable<Uint8Array | Uint16Array | Float32Array>): number {
  return sizeInBase64(Buffer.concat([...numbers].map(bytesOf)));
}

/** What there is room for in a page. */
interface Room {
  /** Bytes. */
  readonly budget: number;
  /** About as many of them are taken by other numbers. */
  readonly beside: number;
  /** All numbers of a choice of layers, as they stand in the page. */
  packed(steps: LayerSteps): string;
}

/**
 * Which layers go into a page, and how finely: those asked for query by query; else all, as many query by query as fit,
 * spread over the depth, the last ViT block and the LLaMA blocks first, the others in blocks of queries; else as many as
 * fit in blocks. `packed` makes what is in the page of them.
 *
 * @throws LuvitError("bad-argument") for layers that are not there or do not fit.
 */
export function chooseLayers(
  models: readonly AttentionMaps[],
  wanted: readonly string[] | undefined,
  { budget, beside, packed }: Room,
): { steps: LayerSteps; data: string } {
  const names = [...new Set(models.flatMap(({ layers }) => layers.map(({ layer }) => layer)))];
  const unknown = (wanted ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const known = names.join(", ");
    throw new LuvitError(
      "bad-argument",
      `attentionViewer: no maps of ${unknown.join(", ")}; there are ${known}`,
    );
  }
  const known = new Map<string, number>();
  const sizeOf = (name: string, step: number) => {
    const key = `${name} ${step}`;
    if (!known.has(key)) known.set(key, sizeInAll(models, name, step));
    return known.get(key)!;
  };
  const total = (steps: LayerSteps) =>
    [...steps].reduce((sum, [name, step]) => sum + sizeOf(name, step), beside);
  const candidates = wanted ? [every(wanted, 1)] : choices(names);
  let least = 0;
  for (const steps of candidates) {
    least = total(steps);
    if (least > budget) continue;
    const data = packed(steps);
    if (data.length <= budget) return { steps, data };
    least = data.length;
  }
  throw new LuvitError(
    "bad-argument",
    `attentionViewer: ${[...candidates.at(-1)!.keys()].join(", ")} take ${formatNumber(least)} bytes, ` +
      `${formatNumber(budget)} are left in the page; choose fewer layers or a greater maxBytes`,
  );
}

/** Bytes that a layer takes in the page, in all models that have it. */
function sizeInAll(models: readonly AttentionMaps[], name: string, step: number): number {
  return models.reduce((sum, { layers, grid }) => {
    const layer = layers.find((one) => one.layer === name);
    return sum + (layer ? sizeInBase64(layerBytes(layer, grid.columns, step)) : 0);
  }, 0);
}

function every(names: readonly string[], step: number): Map<string, number> {
  return new Map(names.map((name) => [name, step]));
}

/** From everything query by query to one layer in blocks. */
function choices(names: readonly string[]): LayerSteps[] {
  const some = spreads(names);
  const mixed = (fine: number, coarse: number) =>
    some.map(
      (kept) => new Map(names.map((name): [string, number] => [name, kept.includes(name) ? fine : coarse])),
    );
  return [
    ...mixed(1, 2),
    every(names, 2),
    ...mixed(2, 4),
    every(names, 4),
    ...some.map((kept) => every(kept, 4)),
  ];
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
