import type { Rng } from "../../core/rng";
import { roundHalfEven } from "../pixels";

/** A width and a height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How an image gets into a square: mirrored or not, resized, and cut; what is left is padded right and below. */
export interface Geometry {
  readonly from: Size;
  readonly mirrored: boolean;
  readonly resized: Size;
  /** The corner of the square in the resized image. */
  readonly left: number;
  readonly top: number;
  /** What of the square the image covers. */
  readonly covered: Size;
}

/** Uniform numbers of large-scale jitter, in the order in which they are drawn. */
export interface JitterDraws {
  /** Below 0.5 the image is mirrored. */
  readonly flip: number;
  readonly scale: number;
  /** One number cuts along both axes. */
  readonly crop: number;
}

export function drawJitter(rng: Rng, [least, most]: readonly [number, number]): JitterDraws {
  return { flip: rng.uniform(), scale: rng.between(least, most), crop: rng.uniform() };
}

/**
 * Large-scale jitter: the image is made to fit a square of `scale` times `size`, and cut to one of `size`.
 *
 * Reference: detectron2 projects/ViTDet/configs/common/coco_loader_lsj.py, data/transforms/augmentation_impl.py.
 */
export function jitterGeometry(from: Size, size: number, draws: JitterDraws): Geometry {
  const factor = Math.min((size * draws.scale) / from.height, (size * draws.scale) / from.width);
  const side = (length: number) => Math.max(1, roundHalfEven(length * factor));
  const resized = { width: side(from.width), height: side(from.height) };
  const offset = (length: number) => roundHalfEven(Math.max(0, length - size) * draws.crop);
  const [left, top] = [offset(resized.width), offset(resized.height)];
  const covered = {
    width: Math.min(size, resized.width - left),
    height: Math.min(size, resized.height - top),
  };
  return { from, mirrored: draws.flip < 0.5, resized, left, top, covered };
}

/**
 * The longer side becomes `size`.
 *
 * Reference: detectron2 data/transforms/augmentation_impl.py ResizeShortestEdge with equal short and greatest lengths.
 */
export function fitGeometry(from: Size, size: number): Geometry {
  const scale = size / Math.min(from.width, from.height);
  let [width, height] = from.height < from.width ? [scale * from.width, size] : [size, scale * from.height];
  const longer = Math.max(width, height);
  if (longer > size) {
    width *= size / longer;
    height *= size / longer;
  }
  const resized = { width: Math.trunc(width + 0.5), height: Math.trunc(height + 0.5) };
  const covered = { width: Math.max(1, resized.width), height: Math.max(1, resized.height) };
  return { from, mirrored: false, resized: covered, left: 0, top: 0, covered };
}

/** A point of the image in the square. */
export function pointIn(
  { from, mirrored, resized, left, top }: Geometry,
  x: number,
  y: number,
): [number, number] {
  const fromLeft = mirrored ? from.width - x : x;
  return [fromLeft * (resized.width / from.width) - left, y * (resized.height / from.height) - top];
}
