import { LuvitError } from "../../core/errors";
import type { Rng } from "../../core/rng";
import {
  flipInPlace,
  normalizePlaced,
  type PixelMemory,
  type PixelSteps,
  type PlacedPixels,
  resizedPart,
  whole,
} from "../pixels";
import type { Geometry, Size } from "./geometry";

/** Steps of a transform into a square of `size` pixels; images of another size than expected are refused. */
export function squareSteps(
  size: number,
  geometryOf: (from: Size, rng: Rng) => Geometry,
  expected?: Size,
): PixelSteps {
  return {
    region(width, height, rng) {
      if (expected && (width !== expected.width || height !== expected.height)) {
        const sizes = `${width} x ${height} pixels, its annotations are for ${expected.width} x ${expected.height}`;
        throw new LuvitError("bad-image", `the image has ${sizes}`);
      }
      return whole(width, height, rng);
    },
    finish(memory, part, rng) {
      const geometry = geometryOf({ width: part.width, height: part.height }, rng);
      return padded(memory, cut(memory, part, geometry), size);
    },
  };
}

function cut(memory: PixelMemory, part: PlacedPixels, { mirrored, resized, left, top, covered }: Geometry) {
  if (mirrored) flipInPlace(memory, part);
  return resizedPart(memory, part, resized, { left, top, ...covered });
}

/** Normalized planes [3, size, size], 0 where the image does not reach. */
function padded(memory: PixelMemory, pixels: PlacedPixels, size: number): number {
  const target = memory.takeResult(12 * size * size);
  normalizePlaced(memory, pixels, false, undefined, target);
  const planes = memory.floats(target, 3 * size * size);
  const { width, height } = pixels;
  if (width === size && height === size) return target;
  // From the last row on, so that no row is written over before it was moved.
  for (let channel = 2; channel >= 0; channel--) {
    const start = channel * size * size;
    for (let y = size - 1; y >= 0; y--) {
      const to = start + y * size;
      const from = (channel * height + y) * width;
      if (y < height) planes.copyWithin(to, from, from + width);
      planes.fill(0, to + (y < height ? width : 0), to + size);
    }
  }
  return target;
}
