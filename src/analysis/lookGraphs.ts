import { breathe } from "../core/loop";
import type { Tensor } from "../core/tf";
import type { ImageDataset, Sample } from "../data/dataset";
import type { CellMask } from "../data/masks";
import type { Encoder } from "../models/encoder";
import type { Context } from "../nn/context";
import type { Module } from "../nn/module";
import type { PatchGrid, PositionRule } from "../nn/positionEmbedding";
import type { Feeds } from "../train/feeds";
import { type Forward, openForward } from "../train/forward";
import type { ImageShape } from "./graphsByShape";
import type { ImageRange } from "./keptRanges";
import type { LookOptions } from "./options";

/** A sample, with the mask on the patch grid where the set has masks. */
export type MaskedOrPlain = Sample & Partial<CellMask>;

/** What a forward function made of some samples of one shape. */
export interface ForwardBatch {
  samples: MaskedOrPlain[];
  /** Images the function was given, black ones behind the samples among them: the results' first axis. */
  size: number;
  /** The images that it is about: start … end - 1. */
  start: number;
  end: number;
  /** Whether work that stops behind it goes on with the very batches that it would have had. */
  canStop: boolean;
  /** Of the images, in pixels and in patches. */
  shape: ImageShape;
  grid: PatchGrid;
  /** Empty where no image of whole images can be read. */
  results: Record<string, Float32Array>;
  /** The results of every variant; of one without variants, `results` alone. */
  variants: readonly Record<string, Float32Array>[];
}

/** What of a set is needed here. */
export type ReadableImages = Pick<ImageDataset, "length" | "size" | "load" | "ownShapes"> &
  Partial<Pick<ImageDataset, "classes" | "report">>;

export interface ForwardBatchOptions extends LookOptions {
  batchSize: number;
  /** Which images; default all. No batch goes over the end of a range. */
  ranges?: readonly ImageRange[];
  /** Numbers per image that are fed beside the images, under the name "beside", [B, `width`]. */
  beside?: { readonly width: number; of(sample: MaskedOrPlain): ArrayLike<number> };
  /**
   * The body asks the encoder where its patches are; a model with registers behind them, or without a class token in front,
   * is refused otherwise.
   */
  anyTokens?: boolean;
  /**
   * What the body is, all that decides it but the model: the graph for images of the model's own size stays open for the next
   * call with the same.
   */
  keepAs?: string;
  /** Numbers that every batch is run with in turn, under the name "variant". */
  variants?: { readonly shape: readonly number[]; readonly feeds: readonly Float32Array[] };
}

/** What a forward function is given beside the images. */
export interface Fed {
  /** How positions are made, to be handed to the model; with a body's own tap or edit. */
  readonly context: Context;
  /** Of the images. */
  readonly grid: PatchGrid;
  readonly beside?: Tensor;
  readonly variant?: Tensor;
}

/** A model that is looked at; `positions` is how it makes those of other shapes, by itself "mae". */
export type LookedAt = Module & { readonly encoder: Encoder; readonly positions?: PositionRule };

/** images [B, 3, H, W] -> results by name, first axis the image. */
export type Body = (images: Tensor, fed: Fed) => Record<string, Tensor>;

/** Rows and columns of patches. */
export function gridOf({ height, width }: ImageShape, patch: number): PatchGrid {
  return { rows: Math.floor(height / patch), columns: Math.floor(width / patch) };
}

/** What a graph is made for. */
interface GraphShape extends Pick<Fed, "context" | "grid"> {
  readonly shape: ImageShape;
  readonly size: number;
}

/** Gets the graph for batches of one shape ready. */
export function openShape(
  model: LookedAt,
  body: Body,
  { shape: { height, width }, grid, size, context }: GraphShape,
  { beside, variants, ...options }: ForwardBatchOptions,
): Promise<Forward> {
  const { batchSize: _, ranges: __, anyTokens: ___, positions: ____, graphs: _____, ...rest } = options;
  const { keepAs: ______, ...engine } = rest;
  const inputs = {
    images: { shape: [size, 3, height, width] },
    ...(beside && { beside: { shape: [size, beside.width] } }),
    ...(variants && { variant: { shape: variants.shape } }),
  };
  const forward = {
    inputs,
    body: ({ images, ...fed }: Record<string, Tensor>) => body(images, { ...fed, context, grid }),
  };
  return openForward("analysis", model, forward, engine);
}

/** The results of every variant; of one without variants, one. */
export async function runVariants(
  forward: Forward,
  images: Feeds,
  samples: readonly MaskedOrPlain[],
  size: number,
  { beside, variants }: ForwardBatchOptions,
): Promise<Record<string, Float32Array>[]> {
  const feeds = { ...images, ...(beside && { beside: besideFeed(beside, samples, size) }) };
  const made: Record<string, Float32Array>[] = [];
  for (const variant of variants?.feeds ?? [undefined]) {
    const own = variant && { variant: { data: variant, shape: variants!.shape } };
    made.push(await forward.run({ ...feeds, ...own }));
    await breathe();
  }
  return made;
}

function besideFeed(
  { width, of }: NonNullable<ForwardBatchOptions["beside"]>,
  samples: readonly MaskedOrPlain[],
  size: number,
) {
  const data = new Float32Array(size * width);
  for (const [i, sample] of samples.entries()) data.set(of(sample), i * width);
  return { data, shape: [size, width] };
}
