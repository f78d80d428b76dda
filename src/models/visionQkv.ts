import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import type { TokenRange } from "../nn/context";
import { kaimingUniform, zeros } from "../nn/init";
import { Linear } from "../nn/layers";
import { Module } from "../nn/module";
import { linear } from "../nn/ops";
import { LoraMatrix } from "./lora";

/** The projections of attention that tokens of images may have of their own. */
export type QkvName = "wq" | "wk" | "wv";
export const qkvNames: readonly QkvName[] = ["wq", "wk", "wv"];

/** The text's projection with a low-rank update: W x + b + (alpha/r) B A x. Keys `lora_A.weight`, `lora_B.weight`. */
export class VisionUpdate extends Module {
  readonly lora_A: LoraMatrix;
  readonly lora_B: LoraMatrix;

  /** `shape` [out, in] of the text's weight; A ~ U(±1/sqrt(in)), B = 0, so that nothing changes until it is trained. */
  constructor(
    shape: readonly number[],
    readonly rank: number,
    readonly alpha: number,
    rng: Rng,
  ) {
    super();
    this.lora_A = new LoraMatrix([rank, shape[1]], kaimingUniform, rng.uint32());
    this.lora_B = new LoraMatrix([shape[0], rank], zeros, rng.uint32());
  }

  /** x [B, T, in] -> what is added to the text's projection, [B, T, out]. */
  forward(x: Tensor): Tensor {
    const update = linear(linear(x, this.lora_A.weight.value), this.lora_B.weight.value);
    return tf.mul(update, this.alpha / this.rank);
  }
}

/** What stands in for, or beside, one of the text's projections. */
export type VisionProjection = Linear | VisionUpdate;

/**
 * q, k and v of tokens of images: matrices of their own, or low-rank updates of the text's. Keys `vision_wq`, `vision_wk`,
 * `vision_wv` beside `wq`, `wk`, `wv`. Output projection, feed-forward part and norms stay common.
 * Reference: LLaViT (arXiv 2511.10301), as far as reviews and summaries tell; EVEv2 modeling_qwen2.py (moe_function).
 */
export class VisionQkv extends Module {
  vision_wq: VisionProjection;
  vision_wk: VisionProjection;
  vision_wv: VisionProjection;

  constructor(parts: Readonly<Record<QkvName, VisionProjection>>) {
    super();
    this.vision_wq = parts.wq;
    this.vision_wk = parts.wk;
    this.vision_wv = parts.wv;
  }

  /** x [B, T, D], tokens of images only -> [B, T, H C]; `text` is the text's projection. */
  project(part: QkvName, x: Tensor, text: (x: Tensor) => Tensor): Tensor {
    const own = this[`vision_${part}`];
    return own instanceof VisionUpdate ? tf.add(text(x), own.forward(x)) : own.forward(x);
  }
}

/** A new one, of the shapes of an attention's own projections: to be loaded, or where updates are low-rank, as it is. */
export function freshVisionQkv(
  text: Readonly<Record<QkvName, Pick<Linear, "weight" | "bias">>>,
  update: { rank: number; alpha: number } | undefined,
  rng: Rng,
): VisionQkv {
  const make = (name: QkvName): VisionProjection => {
    const { weight, bias } = text[name];
    if (update) return new VisionUpdate(weight.shape, update.rank, update.alpha, rng);
    const [outputs, inputs] = weight.shape;
    return new Linear(inputs, outputs, rng, { bias: bias !== undefined });
  };
  return new VisionQkv({ wq: make("wq"), wk: make("wk"), wv: make("wv") });
}

/** Copies of an attention's own projections, to be trained apart from them. */
export async function copiedVisionQkv(text: Readonly<Record<QkvName, Linear>>): Promise<VisionQkv> {
  const copies: [QkvName, Linear][] = [];
  for (const name of qkvNames) {
    const copy = (await text[name].clone(() => false)).unfreeze();
    for (const [, parameter] of copy.namedParameters()) parameter.source = undefined; // no file holds it under this name
    copies.push([name, copy]);
  }
  return new VisionQkv(Object.fromEntries(copies) as Record<QkvName, Linear>);
}

type OfTokens = (x: Tensor) => Tensor;
type Ranges = readonly TokenRange[];

/**
 * Applies one function to the tokens of x [B, T, D] that lie in `ranges`, which are in order, and another to the others. Ranges
 * are those of all sequences, or of each its own.
 */
export function byRange(
  x: Tensor,
  ranges: Ranges | readonly Ranges[],
  outside: OfTokens,
  inside: OfTokens,
): Tensor {
  if (!isBySequence(ranges)) return byOneRange(x, ranges, outside, inside);
  const [batch, tokens, dim] = x.shape as [number, number, number];
  // One sequence after another is one long one.
  const moved = ranges.flatMap((own, b) =>
    own.map(({ start, end }) => ({ start: b * tokens + start, end: b * tokens + Math.min(end, tokens) })),
  );
  const long = byOneRange(tf.reshape(x, [1, batch * tokens, dim]), moved, outside, inside);
  return tf.reshape(long, [batch, tokens, long.shape[2]!]);
}

function isBySequence(ranges: Ranges | readonly Ranges[]): ranges is readonly Ranges[] {
  return Array.isArray(ranges[0]);
}

function byOneRange(x: Tensor, ranges: Ranges, outside: OfTokens, inside: OfTokens): Tensor {
  const [batch, tokens, dim] = x.shape as [number, number, number];
  const parts: Tensor[] = [];
  let from = 0;
  const add = (to: number, apply: (x: Tensor) => Tensor) => {
    if (to > from) parts.push(apply(tf.slice(x, [0, from, 0], [batch, to - from, dim])));
    from = Math.max(from, to);
  };
  for (const { start, end } of ranges) {
    add(Math.min(start, tokens), outside);
    add(Math.min(end, tokens), inside);
  }
  if (parts.length === 0) return outside(x);
  add(tokens, outside);
  return parts.length === 1 ? parts[0] : tf.concat(parts, 1);
}
