import { LuvitError } from "../core/errors";
import { checkOptions, optionsOf, pair, share, shareBelowOne, such, whole } from "../core/options";
import { rngField } from "../core/options/rng";
import { Rng } from "../core/rng";
import { alpha, has, imageSide, MOST_PIXELS } from "./options";

/** How often and how strongly batches are mixed. */
export interface MixRecipe {
  /** Beta parameter of mixup; default 0.8. */
  mixupAlpha?: number;
  /** Beta parameter of cutmix; default 1. */
  cutmixAlpha?: number;
  /** Probability of cutmix instead of mixup; default 0.5. */
  switchProbability?: number;
}

/** The random numbers of one mixed batch: cutmix when a center [row, column] is given, mixup otherwise. */
export interface MixDraw {
  readonly lambda: number;
  readonly center?: readonly [number, number];
}

/** A batch to mix: `images` [B, C, H, W] and `labels` [B]. Give `lambda` (and `center`) or an `rng` to draw them. */
export interface MixOptions extends MixRecipe {
  images: Float32Array;
  labels: ArrayLike<number>;
  height: number;
  width: number;
  classes: number;
  /** Label smoothing; default 0.1. */
  smoothing?: number;
  lambda?: number;
  center?: readonly [number, number];
  rng?: Rng;
}

export const mixRecipe = optionsOf<MixRecipe>(
  {},
  { mixupAlpha: alpha, cutmixAlpha: alpha, switchProbability: share },
);

export const mixOptions = optionsOf<MixOptions>(
  {
    images: such("a Float32Array [B, C, H, W]", (value) => value instanceof Float32Array),
    labels: such("labels [B]", (value) => has(value, "length") || typeof value === "string"),
    height: imageSide,
    width: imageSide,
    classes: whole(1, 1_000_000),
  },
  {
    ...mixRecipe.optional,
    smoothing: shareBelowOne,
    lambda: share,
    center: pair(whole(0, MOST_PIXELS)),
    rng: such("an Rng", (value) => value instanceof Rng),
  },
);

/** Mixed `images` [B, C, H, W], soft `targets` [B, K], and the lambda that was used (after the cut box was clipped). */
export interface MixedBatch {
  readonly images: Float32Array;
  readonly targets: Float32Array;
  readonly lambda: number;
}

/** Rows y0 … y1 - 1 and columns x0 … x1 - 1, and the share of the image that stays. */
export interface CutBox {
  readonly y0: number;
  readonly y1: number;
  readonly x0: number;
  readonly x1: number;
  readonly lambda: number;
}

/**
 * Mixes a batch with itself in reverse order, one draw for the whole batch. The inputs are left as they are. B must be
 * even.
 *
 * Reference: timm 0.3.2 data/mixup.py, mode "batch".
 */
export function mixBatch(options: MixOptions): MixedBatch {
  checkOptions("mixBatch", mixOptions, options);
  const { images, labels, height, width, classes, smoothing = 0.1 } = options;
  expectBatch(options);
  const draw = givenDraw(options) ?? drawMix(expectRng(options), height, width, recipeOf(options));
  if (draw.center) {
    const box = cutBox(height, width, draw.lambda, draw.center);
    const mixed = pasteReversed(images, labels.length, height, width, box);
    return { images: mixed, targets: mixTargets(labels, classes, box.lambda, smoothing), lambda: box.lambda };
  }
  const mixed = blendReversed(images, labels.length, draw.lambda);
  return { images: mixed, targets: mixTargets(labels, classes, draw.lambda, smoothing), lambda: draw.lambda };
}

/** Draws mixup or cutmix for one batch. */
export function drawMix(rng: Rng, height: number, width: number, recipe: MixRecipe = {}): MixDraw {
  checkOptions("drawMix", rngField, rng);
  checkOptions("drawMix", mixRecipe, recipe);
  const { mixupAlpha = 0.8, cutmixAlpha = 1, switchProbability = 0.5 } = recipe;
  if (rng.uniform() >= switchProbability) return { lambda: rng.beta(mixupAlpha, mixupAlpha) };
  return { lambda: rng.beta(cutmixAlpha, cutmixAlpha), center: [rng.integer(height), rng.integer(width)] };
}

/** The box that cutmix pastes: sides sqrt(1 - lambda) of the image's, around the center, clipped to the image. */
export function cutBox(
  height: number,
  width: number,
  lambda: number,
  center: readonly [number, number],
): CutBox {
  const ratio = Math.sqrt(1 - lambda);
  const [halfHeight, halfWidth] = [height, width].map((side) => Math.floor(Math.trunc(side * ratio) / 2));
  const clip = (value: number, limit: number) => Math.min(limit, Math.max(0, value));
  const [y0, y1] = [clip(center[0] - halfHeight, height), clip(center[0] + halfHeight, height)];
  const [x0, x1] = [clip(center[1] - halfWidth, width), clip(center[1] + halfWidth, width)];
  return { y0, y1, x0, x1, lambda: 1 - ((y1 - y0) * (x1 - x0)) / (height * width) };
}

/** Soft targets [B, K] in float32: lambda * y + (1 - lambda) * y of the reversed batch, both smoothed. */
export function mixTargets(
  labels: ArrayLike<number>,
  classes: number,
  lambda: number,
  smoothing: number,
): Float32Array {
  const { fround } = Math;
  const off = smoothing / classes;
  const on = 1 - smoothing + off;
  const batch = labels.length;
  const share = (row: number, k: number, weight: number) =>
    fround(fround(labels[row] === k ? on : off) * fround(weight));
  return Float32Array.from({ length: batch * classes }, (_, i) => {
    const [row, k] = [Math.floor(i / classes), i % classes];
    return share(row, k, lambda) + share(batch - 1 - row, k, 1 - lambda);
  });
}

function blendReversed(images: Float32Array, batch: number, lambda: number): Float32Array {
  const { fround } = Math;
  const [own, other] = [fround(lambda), fround(1 - lambda)];
  const length = images.length / batch;
  const mixed = new Float32Array(images.length);
  for (let row = 0; row < batch; row++) {
    const [to, from] = [row * length, (batch - 1 - row) * length];
    for (let i = 0; i < length; i++) {
      mixed[to + i] = fround(images[to + i] * own) + fround(images[from + i] * other);
    }
  }
  return mixed;
}

function pasteReversed(
  images: Float32Array,
  batch: number,
  height: number,
  width: number,
  box: CutBox,
): Float32Array {
  const mixed = images.slice();
  const planes = images.length / (height * width);
  const channels = planes / batch;
  for (let plane = 0; plane < planes; plane++) {
    const partner = (batch - 1 - Math.floor(plane / channels)) * channels + (plane % channels);
    for (let y = box.y0; y < box.y1; y++) {
      const from = (partner * height + y) * width;
      mixed.set(images.subarray(from + box.x0, from + box.x1), (plane * height + y) * width + box.x0);
    }
  }
  return mixed;
}

function givenDraw({ lambda, center }: MixOptions): MixDraw | undefined {
  return lambda === undefined ? undefined : { lambda, center };
}

function recipeOf({ mixupAlpha, cutmixAlpha, switchProbability }: MixOptions): MixRecipe {
  return { mixupAlpha, cutmixAlpha, switchProbability };
}

function expectRng({ rng }: MixOptions): Rng {
  if (rng) return rng;
  throw new LuvitError("bad-argument", "mixBatch: give either lambda or rng");
}

function expectBatch({ images, labels, height, width, classes }: MixOptions): void {
  const batch = labels.length;
  if (batch === 0 || batch % 2 !== 0) {
    throw new LuvitError(
      "bad-argument",
      `mixBatch: the batch must be even, as sample i meets B-1-i; got ${batch}`,
    );
  }
  if (images.length % (batch * height * width) !== 0) {
    throw new LuvitError(
      "shape-mismatch",
      `mixBatch: expected images [${batch}, C, ${height}, ${width}], got ${images.length} numbers`,
    );
  }
  const wrong = Array.from(labels).find(
    (label) => !(label >= 0 && label < classes && Number.isInteger(label)),
  );
  if (wrong !== undefined) {
    throw new LuvitError("bad-argument", `mixBatch: label ${wrong} is not in 0 … ${classes - 1}`);
  }
}
