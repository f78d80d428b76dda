import type { Rng } from "../../core/rng";
import { BACKGROUND, OBJECT } from "./matching";

/** The first `count` places of a permutation of `length`. */
export type Permute = (length: number, count: number) => ArrayLike<number>;

/** Permutations that are drawn. */
export const randomPermutations =
  (rng: Rng): Permute =>
  (length, count) => {
    const places = new Int32Array(length);
    for (let i = 0; i < length; i++) places[i] = i;
    for (let i = 0; i < count; i++) {
      const other = i + Math.floor(rng.between(0, length - i));
      const place = places[Math.min(other, length - 1)];
      places[Math.min(other, length - 1)] = places[i];
      places[i] = place;
    }
    return places.subarray(0, count);
  };

export interface SampleSettings {
  /** Samples of an image at most. */
  perImage: number;
  /** The share of objects among them at most. */
  objectShare: number;
}

/** Numbers of boxes. */
export interface Samples {
  readonly objects: Int32Array;
  readonly background: Int32Array;
}

/**
 * Draws boxes to learn from: objects first, then background.
 * Reference: detectron2 modeling/sampling.py subsample_labels.
 */
export function sampleBoxes(labels: Int32Array, settings: SampleSettings, permute: Permute): Samples {
  const [objects, background] = [placesOf(labels, OBJECT), placesOf(labels, BACKGROUND)];
  const take = (from: Int32Array, count: number) =>
    count === 0
      ? new Int32Array(0)
      : Int32Array.from(permute(from.length, count)).map((place) => from[place]);
  const most = Math.floor(settings.perImage * settings.objectShare);
  const taken = take(objects, Math.min(objects.length, most));
  const rest = take(background, Math.min(background.length, settings.perImage - taken.length));
  return { objects: taken, background: rest };
}

/** Where a label stands. */
function placesOf(labels: Int32Array, label: number): Int32Array {
  const places = new Int32Array(labels.length);
  let count = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === label) places[count++] = i;
  return places.subarray(0, count);
}
