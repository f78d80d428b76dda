import { nearestIndices, resizePlanes } from "../core/resample";

/** Longest side at which logits of large images are compared. */
const LONGEST = 1000;

/** Logits of a model, [classes, rows, columns]. */
export interface LogitPlanes {
  readonly logits: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Ids [height, width] of the largest logits, which are resized (bilinear) to the size of the mask; of a mask with more
 * than a million pixels to a longest side of 1000, and ids from there by nearest neighbor.
 *
 * Reference: LUSSeg/ImageNetSegModel engine_segfinetune.py, inference.py.
 */
export function predictIds(
  { logits, rows, columns }: LogitPlanes,
  height: number,
  width: number,
  longest = LONGEST,
): Int32Array {
  const classes = logits.length / (rows * columns);
  if (height * width <= longest ** 2)
    return largest(resizePlanes(logits, rows, columns, height, width), classes);
  const isHigh = height > width;
  const small = isHigh
    ? { height: longest, width: Math.trunc((longest * width) / height) }
    : { height: Math.trunc((longest * height) / width), width: longest };
  const ids = largest(resizePlanes(logits, rows, columns, small.height, small.width), classes);
  const [down, across] = [nearestIndices(small.height, height), nearestIndices(small.width, width)];
  return Int32Array.from({ length: height * width }, (_, i) => {
    return ids[down[Math.floor(i / width)] * small.width + across[i % width]];
  });
}

/** Of planes [classes, pixels] the class with the largest number, by pixel. */
function largest(planes: Float32Array, classes: number): Int32Array {
  const pixels = planes.length / classes;
  const ids = new Int32Array(pixels);
  const best = planes.slice(0, pixels);
  for (let id = 1; id < classes; id++) {
    const start = id * pixels;
    for (let i = 0; i < pixels; i++) {
      if (planes[start + i] <= best[i]) continue;
      best[i] = planes[start + i];
      ids[i] = id;
    }
  }
  return ids;
}
