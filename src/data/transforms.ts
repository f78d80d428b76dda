import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { type Preprocessing, usualCropRatio, usualPreprocessing } from "../core/preprocessing";
import {
  BuiltInTransform,
  type EvalTransform,
  type FinetuneAugmentOptions,
  finetuneAugmentOptions,
} from "./imageTransform";
import { evaluationOptions, sizeArgument } from "./options";
import {
  Canvas,
  centerBox,
  cropBox,
  cropIds,
  drawRandAugment,
  eraseRandomly,
  type IdMap,
  normalizedLast,
  operations,
  type PixelSteps,
  type RgbImage,
  randomCrop,
  resize,
  resized,
  resizeIds,
  shorterSideSize,
  whole,
} from "./pixels";

/* The transforms of this library: `data.transforms`. Each is unchangeable and can be made again from its `spec`. */

export { fitSquare, largeScaleJitter } from "./detection";
export { segment } from "./segmentTransform";

/**
 * Pretraining: random resized crop of 20-100 % of the area (bicubic), mirrored half of the time. MAE main_pretrain.py.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.mae(64) });
 */
export function mae(size = 224): BuiltInTransform {
  checkOptions("transforms.mae", sizeArgument, { size });
  const scale = [0.2, 1] as const;
  const steps = normalizedLast(randomCrop(scale), (memory, part, rng) => ({
    pixels: resized(memory, part, size, size),
    mirrored: rng.uniform() < 0.5,
  }));
  return frozen(new BuiltInTransform({ kind: "mae", size }, steps, { scale }));
}

/**
 * Finetuning: random resized crop of 8-100 % of the area (bicubic), mirrored half of the time, RandAugment, normalization,
 * random erasing, in this order. Every draw comes from the image's own stream.
 *
 * Reference: mae/util/datasets.py; timm 0.3.2 data/transforms_factory.py.
 *
 * @example
 * const transform = luvit.data.transforms.finetune(64, { randAugment: null, erasing: 0 });
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform });
 */
export function finetune(size = 224, options: FinetuneAugmentOptions = {}): BuiltInTransform {
  checkOptions("transforms.finetune", sizeArgument, { size });
  checkOptions("transforms.finetune", finetuneAugmentOptions, options);
  const { randAugment = {}, erasing = 0.25 } = options;
  const scale = [0.08, 1] as const;
  const steps: PixelSteps = {
    region: randomCrop(scale),
    finish(memory, part, rng) {
      const crop = resized(memory, part, size, size);
      const mirrored = rng.uniform() < 0.5;
      const canvas = new Canvas(memory, crop, mirrored);
      const drawn = randAugment ? drawRandAugment(rng, randAugment) : [];
      for (const { op, argument } of drawn) operations[op].apply(canvas, argument);
      const planes = canvas.planes();
      eraseRandomly(memory, planes, size, size, rng, erasing);
      return planes;
    },
  };
  return frozen(new BuiltInTransform({ kind: "finetune", size, randAugment, erasing }, steps, { scale }));
}

/**
 * Evaluation: shorter side to floor(size / cropRatio) (bicubic), then the centered square. The ratio is 0.875 up to 224
 * pixels and 1 above, as in MAE util/datasets.py.
 */
export function evaluation(
  size = 224,
  options: { cropRatio?: number } = {},
): BuiltInTransform & EvalTransform {
  checkOptions("transforms.evaluation", sizeArgument, { size });
  checkOptions("transforms.evaluation", evaluationOptions, options);
  const { cropRatio = usualCropRatio(size) } = options;
  const side = Math.floor(size / cropRatio);
  const pixels = (image: RgbImage) => {
    const to = shorterSideSize(image.width, image.height, side);
    return cropBox(resize(image, to.width, to.height), centerBox(to.width, to.height, size));
  };
  const ids = (map: IdMap) => {
    const to = shorterSideSize(map.width, map.height, side);
    return cropIds(resizeIds(map, to.width, to.height), centerBox(to.width, to.height, size));
  };
  const steps = normalizedLast(whole, (memory, part) => {
    const to = shorterSideSize(part.width, part.height, side);
    const { address, line } = resized(memory, part, to.width, to.height);
    const { left, top } = centerBox(to.width, to.height, size);
    return { pixels: { address: address + top * line + 3 * left, line, width: size, height: size } };
  });
  const transform = new BuiltInTransform({ kind: "evaluation", size, cropRatio }, steps, {
    preprocessing: usualPreprocessing(size, cropRatio),
  });
  return frozen(Object.assign(transform, { pixels, ids }));
}

/**
 * Images that already have the model's size: only normalized. Any other size is a "bad-argument" error.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 */
export function none(size = 224): BuiltInTransform & EvalTransform {
  checkOptions("transforms.none", sizeArgument, { size });
  const expectSize = (width: number, height: number) => {
    if (width === size && height === size) return;
    throw new LuvitError(
      "bad-argument",
      `image of ${width} x ${height} pixels where ${size} x ${size} is expected; images are used as they are here ` +
        "(give transforms.none their size, or take transforms.evaluation, which resizes)",
    );
  };
  const pixels = (image: RgbImage) => {
    expectSize(image.width, image.height);
    return image;
  };
  const ids = (map: IdMap) => {
    expectSize(map.width, map.height);
    return map;
  };
  const region: PixelSteps["region"] = (width, height, rng) => {
    expectSize(width, height);
    return whole(width, height, rng);
  };
  const steps = normalizedLast(region, (_, part) => ({ pixels: part }));
  const preprocessing: Preprocessing = { ...usualPreprocessing(size, 1), resize: "none" };
  const transform = new BuiltInTransform({ kind: "none", size }, steps, { preprocessing });
  return frozen(Object.assign(transform, { pixels, ids }));
}

function frozen<Transform extends object>(transform: Transform): Transform {
  Object.freeze(transform);
  return transform;
}
