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
  const part = scores.slice(start, end);
  for (let i = 0; i < part.length; i++) if (Number.isNaN(part[i])) part[i] = Number.POSITIVE_INFINITY;
  const least = count < part.length ? part.sort()[part.length - count] : Number.NEGATIVE_INFINITY;
  const candidates: number[] = [];
  for (let i = start; i < end; i++) if (!(scores[i] < least)) candidates.push(i);
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
    let isFree = true;
    for (let at = 0; at < kept.length && isFree; at++)
      isFree = !(overlap(boxes, kept[at], areas[kept[at]], boxes, i, areas[i]) > threshold);
    if (isFree) kept.push(i);
  }
  return Int32Array.from(kept);
}
