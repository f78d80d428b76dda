import { checkOptions } from "../core/options";
import { Rng } from "../core/rng";
import { BuiltInTransform, type MaskTransform } from "./imageTransform";
import { sizeArgument } from "./options";
import {
  applyColors,
  Canvas,
  cropIds,
  drawColors,
  flipIds,
  type IdMap,
  type PixelSteps,
  randomCrop,
  resizedPart,
  resizeIds,
} from "./pixels";

const scale = [0.14, 1] as const;

/**
 * Training of a segmentation: a random resized crop of 14-100 % of the area (bilinear; masks by nearest neighbor),
 * mirrored half of the time, jitter of colors, gray and blur. Masks go through the same crop and mirror.
 *
 * Reference: LUSSeg/ImageNetSegModel util/datasets.py, util/transforms.py.
 */
export function segment(size = 224): BuiltInTransform & MaskTransform {
  checkOptions("transforms.segment", sizeArgument, { size });
  const steps: PixelSteps = {
    region: randomCrop(scale),
    finish(memory, part, rng) {
      const crop = resizedPart(
        memory,
        part,
        { width: size, height: size },
        { left: 0, top: 0, width: size, height: size },
      );
      const canvas = new Canvas(memory, crop, rng.uniform() < 0.5);
      applyColors(canvas, drawColors(rng));
      return canvas.planes();
    },
  };
  /** Draws what `steps` draws of the geometry from the same stream. */
  const ids = (map: IdMap, rng: Rng) => {
    const stream = new Rng(rng.seed);
    const crop = resizeIds(cropIds(map, steps.region(map.width, map.height, stream)), size, size);
    return stream.uniform() < 0.5 ? flipIds(crop) : crop;
  };
  const transform = Object.assign(new BuiltInTransform({ kind: "segment", size }, steps, { scale }), { ids });
  Object.freeze(transform);
  return transform;
}
