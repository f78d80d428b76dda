import { either, exactly, optionsOf, share, such } from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import type { Rng } from "../core/rng";
import { has } from "./options";
import {
  applySteps,
  type IdMap,
  type PixelSteps,
  type RandAugmentRecipe,
  type RgbImage,
  randAugmentRecipe,
} from "./pixels";

/** What happens to an image between the file and the model. */
export interface ImageTransform {
  readonly name: string;
  /** Side of the result in pixels. */
  readonly size: number;
  /** Range of the crop's share of the image's area, where crops are random. */
  readonly scale?: readonly [number, number];
  /** What it does as plain data, which is saved with models; absent where something is random. */
  readonly preprocessing?: Preprocessing;
  /** Image -> normalized float32 [3, size, size]. Draws only from `rng`. */
  apply(image: RgbImage, rng: Rng): Float32Array;
}

/** A transform that can also carry a segmentation map along. */
export interface MaskTransform extends ImageTransform {
  /** The same geometry on ids, by nearest neighbor, for the stream that `apply` is given: [size, size]. */
  ids(map: IdMap, rng: Rng): IdMap;
}

/** A transform without randomness that can also carry a segmentation map along. */
export interface EvalTransform extends MaskTransform {
  /** The same geometry in bytes, before normalization. */
  pixels(image: RgbImage): RgbImage;
  ids(map: IdMap): IdMap;
}

/** What finetuning does to images after crop and mirror. */
export interface FinetuneAugmentOptions {
  /** Default `rand-m9-mstd0.5-inc1`; null for none. */
  randAugment?: RandAugmentRecipe | null;
  /** Probability that a box of the normalized image is erased; default 0.25. */
  erasing?: number;
}

export const transform = such<ImageTransform>(
  "a transform, e.g. data.transforms.evaluation(224): name, size and apply are needed",
  (value) => has(value, "name", "size", "apply") && Number.isInteger((value as ImageTransform).size),
);

export const evalTransform = such<EvalTransform>(
  "a transform without randomness, e.g. data.transforms.evaluation(224)",
  (value) => has(value, "name", "size", "apply", "ids", "pixels"),
);

export const maskTransform = such<MaskTransform>(
  "a transform that takes masks along, e.g. data.transforms.segment(224) or data.transforms.evaluation(224)",
  (value) => has(value, "name", "size", "apply", "ids"),
);

export const finetuneAugmentOptions = optionsOf<FinetuneAugmentOptions>(
  {},
  { randAugment: either(randAugmentRecipe, exactly(null)), erasing: share },
);

/** Plain data from which a transform of this library is made again, in another thread; see `rebuildTransform`. */
export type TransformSpec =
  | { readonly kind: "mae" | "none" | "segment"; readonly size: number }
  | ({ readonly kind: "finetune"; readonly size: number } & Required<FinetuneAugmentOptions>)
  | { readonly kind: "evaluation"; readonly size: number; readonly cropRatio: number }
  | ({ readonly kind: "fit" } & SquareSpec)
  | ({ readonly kind: "jitter"; readonly scale: readonly [number, number] } & SquareSpec);

/** Of a padded square; `expected` is the only size of images that is not refused. */
interface SquareSpec {
  readonly size: number;
  readonly expected?: { readonly width: number; readonly height: number };
}

/** A transform of this library: its steps, and what it is made from. */
export class BuiltInTransform implements ImageTransform {
  readonly name: string;
  readonly size: number;
  readonly scale?: readonly [number, number];
  readonly preprocessing?: Preprocessing;
  /** Copies have none: with another `apply` they are other transforms. */
  readonly #spec: TransformSpec;

  constructor(
    spec: TransformSpec,
    readonly steps: PixelSteps,
    facts: Pick<ImageTransform, "scale" | "preprocessing"> = {},
  ) {
    this.name = spec.kind;
    this.size = spec.size;
    this.#spec = spec;
    if (facts.scale) this.scale = facts.scale;
    if (facts.preprocessing) this.preprocessing = facts.preprocessing;
  }

  /** A transform as one of this library; undefined for others and for copies. */
  static from(transform: ImageTransform): BuiltInTransform | undefined {
    return #spec in transform ? transform : undefined;
  }

  /** Whether normalization comes last in a transform, so that an image can also be had as the bytes before it. */
  static hasBytes(transform: ImageTransform): boolean {
    return BuiltInTransform.from(transform)?.steps.bytes !== undefined;
  }

  get spec(): TransformSpec {
    return this.#spec;
  }

  readonly apply = (image: RgbImage, rng: Rng): Float32Array => applySteps(this.steps, this.size, image, rng);
}
