import { LuvitError } from "../core/errors";
import { IGNORED_ID } from "./segmentTargets";

const EPSILON = 1e-10;

/** Pixels by class, [classes] each: in both, in the target, in the prediction. */
export interface PixelCounts {
  readonly both: Float64Array;
  readonly target: Float64Array;
  readonly prediction: Float64Array;
}

export function emptyPixelCounts(classes: number): PixelCounts {
  const column = () => new Float64Array(classes);
  return { both: column(), target: column(), prediction: column() };
}

/** The pixels of all of them. */
export function sumOfCounts([first, ...others]: readonly PixelCounts[]): PixelCounts {
  const sum = (key: keyof PixelCounts) =>
    first[key].map((count, i) => others.reduce((total, other) => total + other[key][i], count));
  return { both: sum("both"), target: sum("target"), prediction: sum("prediction") };
}

/** Counts a pixel; below 0 stands for none. */
export function addPixel(counts: PixelCounts, prediction: number, target: number): void {
  if (prediction >= 0) counts.prediction[prediction]++;
  if (target >= 0) counts.target[target]++;
  if (target >= 0 && prediction === target) counts.both[target]++;
}

/**
 * Counts the pixels of an image whose target is not ignored.
 * @throws LuvitError("bad-dataset") for a target that is no class, naming the image.
 */
export function addPixels(
  counts: PixelCounts,
  prediction: Int32Array,
  target: Int32Array,
  name: string,
): void {
  const classes = counts.both.length;
  for (const [i, id] of target.entries()) {
    if (id === IGNORED_ID) continue;
    if (!(id >= 0 && id < classes)) {
      throw new LuvitError(
        "bad-dataset",
        `${name}: its mask has id ${id}, expected 0 (other) to ${classes - 1}`,
      );
    }
    addPixel(counts, prediction[i], id);
  }
}

/** Intersection over union by class, percent. */
export function iousOf({ both, target, prediction }: PixelCounts): Float64Array {
  return both.map((count, id) => (100 * count) / (target[id] + prediction[id] - count + EPSILON));
}

/** The plain mean. */
export function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
}
