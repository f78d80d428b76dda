import { LuvitError } from "../core/errors";
import type { ImageTransform, MaskTransform } from "./imageTransform";
import type { IdMap, RgbImage } from "./pixels";

/** @throws LuvitError("bad-argument") for a transform of images alone. */
export function expectMasks(transform: ImageTransform): MaskTransform {
  if ("ids" in transform) return transform as MaskTransform;
  throw new LuvitError(
    "bad-argument",
    `${transform.name} cannot carry a mask along; use transforms.segment, transforms.evaluation or transforms.none`,
  );
}

/** @throws LuvitError("bad-image") where a mask has another size than its image. */
export function expectSameSize(path: string, image: RgbImage, maskPath: string, mask: IdMap): void {
  if (image.width === mask.width && image.height === mask.height) return;
  const sizes = `${image.width} x ${image.height} pixels, its mask ${maskPath} ${mask.width} x ${mask.height}`;
  throw new LuvitError("bad-image", `${path}: the image has ${sizes}`);
}
