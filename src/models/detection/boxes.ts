import { LuvitError } from "../../core/errors";

/*
 * Boxes on the host: [n, 4] in rows, left, top, right and bottom in pixels. Overlaps are computed step by step in single
 * precision, in the order of detectron2: which of several boxes ties with the best depends on it.
 */

/** [n, 4]: x0, y0, x1, y1 of each box. */
export type Boxes = Float32Array;

export interface Size {
  height: number;
  width: number;
}

export const countOf = (boxes: Boxes) => boxes.length / 4;

export function boxAt(boxes: Boxes, i: number): Boxes {
  return boxes.subarray(4 * i, 4 * i + 4);
}

/** Boxes by their numbers. */
export function takeBoxes(boxes: Boxes, indices: ArrayLike<number>): Boxes {
  const taken = new Float32Array(4 * indices.length);
  for (let i = 0; i < indices.length; i++) taken.set(boxAt(boxes, indices[i]), 4 * i);
  return taken;
}

export function joinBoxes(...parts: readonly Boxes[]): Boxes {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Width times height of every box. */
export function boxAreas(boxes: Boxes): Float32Array {
  const areas = new Float32Array(countOf(boxes));
  for (let i = 0; i < areas.length; i++) {
    const width = Math.fround(boxes[4 * i + 2] - boxes[4 * i]);
    areas[i] = width * Math.fround(boxes[4 * i + 3] - boxes[4 * i + 1]);
  }
  return areas;
}

/** Intersection over union of box `i` of `a` and box `j` of `b`, whose areas are known; 0 where they do not meet. */
export function overlap(a: Boxes, i: number, areaA: number, b: Boxes, j: number, areaB: number): number {
  const [p, q] = [4 * i, 4 * j];
  const width = Math.fround(Math.min(a[p + 2], b[q + 2]) - Math.max(a[p], b[q]));
  if (!(width > 0)) return 0;
  const height = Math.fround(Math.min(a[p + 3], b[q + 3]) - Math.max(a[p + 1], b[q + 1]));
  if (!(height > 0)) return 0;
  const common = Math.fround(width * height);
  return common > 0 ? Math.fround(common / Math.fround(Math.fround(areaA + areaB) - common)) : 0;
}

/** Cuts boxes to an image, in place. */
export function clipBoxes(boxes: Boxes, { height, width }: Size): Boxes {
  for (let i = 0; i < boxes.length; i++) {
    boxes[i] = Math.min(Math.max(boxes[i], 0), i % 2 === 0 ? width : height);
  }
  return boxes;
}

/** Whether a box is wider and higher than `least`. */
export function isLarger(boxes: Boxes, i: number, least = 0): boolean {
  return boxes[4 * i + 2] - boxes[4 * i] > least && boxes[4 * i + 3] - boxes[4 * i + 1] > least;
}

export function isFiniteBox(boxes: Boxes, i: number): boolean {
  return boxAt(boxes, i).every(Number.isFinite);
}

/** @throws LuvitError("shape-mismatch") for numbers that are no rows of four. */
export function expectBoxes(name: string, boxes: Boxes): void {
  if (boxes.length % 4 === 0) return;
  throw new LuvitError("shape-mismatch", `${name}: ${boxes.length} numbers are no boxes of four each`);
}
