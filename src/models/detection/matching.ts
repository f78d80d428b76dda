import { type Boxes, boxAreas, countOf, overlap } from "./boxes";

/** What a box is taken for. */
export const BACKGROUND = 0;
export const OBJECT = 1;
export const IGNORED = -1;

export interface MatchSettings {
  /** Below the first: background; from the last on: object; between them: ignored. */
  thresholds: readonly [number] | readonly [number, number];
  /** Whether boxes that no other overlaps an object better than are objects in any case. */
  lowQuality: boolean;
}

export interface Matches {
  /** The object of each box: that with the greatest overlap, of equal ones the first; 0 where there are no objects. */
  readonly matched: Int32Array;
  /** OBJECT, BACKGROUND or IGNORED. */
  readonly labels: Int32Array;
  /** The greatest overlap of each box, and of each object. */
  readonly overlaps: Float32Array;
  readonly bestOfObject: Float32Array;
}

/**
 * Gives every box an object. Thresholds are compared in single precision.
 * Reference: detectron2 modeling/matcher.py, structures/boxes.py pairwise_iou.
 */
export function matchBoxes(objects: Boxes, boxes: Boxes, { thresholds, lowQuality }: MatchSettings): Matches {
  const count = countOf(boxes);
  const matched = new Int32Array(count);
  const overlaps = new Float32Array(count);
  const bestOfObject = new Float32Array(countOf(objects));
  const [objectAreas, areas] = [boxAreas(objects), boxAreas(boxes)];
  const labels = new Int32Array(count);
  if (countOf(objects) === 0) return { matched, labels, overlaps, bestOfObject };
  for (let object = 0; object < bestOfObject.length; object++) {
    for (let i = 0; i < count; i++) {
      const iou = overlap(objects, object, objectAreas[object], boxes, i, areas[i]);
      if (iou > overlaps[i]) {
        overlaps[i] = iou;
        matched[i] = object;
      }
      if (iou > bestOfObject[object]) bestOfObject[object] = iou;
    }
  }
  const [low, high] = [Math.fround(thresholds[0]), Math.fround(thresholds[thresholds.length - 1])];
  for (let i = 0; i < count; i++)
    labels[i] = overlaps[i] >= high ? OBJECT : overlaps[i] < low ? BACKGROUND : IGNORED;
  if (!lowQuality) return { matched, labels, overlaps, bestOfObject };
  for (let object = 0; object < bestOfObject.length; object++) {
    for (let i = 0; i < count; i++) {
      if (labels[i] === OBJECT || overlaps[i] < bestOfObject[object]) continue;
      if (overlap(objects, object, objectAreas[object], boxes, i, areas[i]) === bestOfObject[object])
        labels[i] = OBJECT;
    }
  }
  return { matched, labels, overlaps, bestOfObject };
}
