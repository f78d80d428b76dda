import { type Boxes, boxAreas, overlap } from "./boxes";

/** Numbers of boxes by falling score; of equal ones the first comes first. NaN counts as the greatest. */
export function byScore(scores: ArrayLike<number>, among: ArrayLike<number>): Int32Array {
  const key = (i: number) => (Number.isNaN(scores[i]) ? Number.POSITIVE_INFINITY : scores[i]);
  return Int32Array.from(among).sort((a, b) => {
    const [first, second] = [key(a), key(b)];
    return first === second ? a - b : first < second ? 1 : -1;
  });
}

/** The `count` best of the places from `start` to `end`, by falling score. */
export function bestOf(scores: Float32Array, start: number, end: number, count: number): Int32Array {
  const indices = Int32Array.from({ length: end - start }, (_, i) => start + i);
  if (count >= indices.length) return byScore(scores, indices);
  const part = scores
    .slice(start, end)
    .map((score) => (Number.isNaN(score) ? Number.POSITIVE_INFINITY : score));
  const least = part.sort()[part.length - count];
  const candidates = indices.filter((i) => !(scores[i] < least));
  return byScore(scores, candidates).subarray(0, count);
}

/**
 * Of boxes in the given order those that overlap none before them by more than `threshold`; at most `most`.
 * Reference: torchvision csrc/ops/cpu/nms_kernel.cpp.
 */
export function suppress(
  boxes: Boxes,
  order: ArrayLike<number>,
  threshold: number,
  most = Number.POSITIVE_INFINITY,
): Int32Array {
  const areas = boxAreas(boxes);
  const kept: number[] = [];
  for (let n = 0; n < order.length && kept.length < most; n++) {
    const i = order[n];
    if (kept.every((k) => !(overlap(boxes, k, areas[k], boxes, i, areas[i]) > threshold))) kept.push(i);
  }
  return Int32Array.from(kept);
}
