import { LuvitError } from "../errors";
import { boxIou } from "./boxes";
import { maskArea, maskBox, type Rle } from "./rle";

/** Reads the runs of a mask from the start: what is left of the one that is being read, and whether it is inside. */
class RunReader {
  private next = 1;
  inside = false;
  left: number;

  constructor(private readonly counts: Uint32Array) {
    this.left = counts.length > 0 ? counts[0] : 0;
  }

  /** Goes on by `length` pixels of the run. */
  advance(length: number): void {
    this.left -= length;
    if (this.left > 0 || this.next >= this.counts.length) return;
    this.left = this.counts[this.next++];
    this.inside = !this.inside;
  }
}

/**
 * The union of masks, or what they have in common.
 *
 * @throws LuvitError("shape-mismatch") for masks of different sizes, LuvitError("bad-argument") for none.
 */
export function mergeMasks(masks: readonly Rle[], how: "union" | "intersection" = "union"): Rle {
  if (masks.length === 0) throw new LuvitError("bad-argument", "mergeMasks: there are no masks");
  let level = masks;
  while (level.length > 1) level = mergePairs(level, how === "intersection");
  return level[0];
}

/** Half as many: in pairs, so that thousands of parts are not walked through thousands of times. */
function mergePairs(masks: readonly Rle[], both: boolean): Rle[] {
  return Array.from({ length: Math.ceil(masks.length / 2) }, (_, i) => {
    const [a, b] = masks.slice(2 * i, 2 * i + 2);
    return b ? mergeTwo(a, b, both) : a;
  });
}

function mergeTwo(a: Rle, b: Rle, both: boolean): Rle {
  const { height, width } = a;
  if (b.height !== height || b.width !== width) {
    const sizes = `${height} x ${width} and of ${b.height} x ${b.width}`;
    throw new LuvitError("shape-mismatch", `mergeMasks: a mask of ${sizes} pixels`);
  }
  const [one, other] = [new RunReader(a.counts), new RunReader(b.counts)];
  const counts: number[] = [];
  let inside = false;
  let length = 0;
  for (let rest = 1; rest > 0; ) {
    const step = Math.min(one.left, other.left);
    length += step;
    one.advance(step);
    other.advance(step);
    rest = one.left + other.left;
    const now = both ? one.inside && other.inside : one.inside || other.inside;
    if (now === inside && rest > 0) continue;
    counts.push(length);
    length = 0;
    inside = now;
  }
  return { height, width, counts: Uint32Array.from(counts) };
}

/**
 * Intersection over union of every detection with every truth, [detections, truths] in rows. With a crowd the union is
 * the detection alone. Masks of different sizes have -1 where their boxes meet.
 */
export function maskIou(
  detections: readonly Rle[],
  truths: readonly Rle[],
  crowd: ArrayLike<number | boolean>,
): Float64Array {
  const ious = boxIou(detections.map(maskBox), truths.map(maskBox), crowd);
  for (let at = 0; at < ious.length; at++) {
    if (ious[at] <= 0) continue;
    const truth = at % truths.length;
    ious[at] = iouOfTwo(detections[(at - truth) / truths.length], truths[truth], Boolean(crowd[truth]));
  }
  return ious;
}

function iouOfTwo(detection: Rle, truth: Rle, crowd: boolean): number {
  if (detection.height !== truth.height || detection.width !== truth.width) return -1;
  const [one, other] = [new RunReader(detection.counts), new RunReader(truth.counts)];
  let [common, union] = [0, 0];
  for (let rest = 1; rest > 0; ) {
    const step = Math.min(one.left, other.left);
    if (one.inside || other.inside) union += step;
    if (one.inside && other.inside) common += step;
    one.advance(step);
    other.advance(step);
    rest = one.left + other.left;
  }
  if (common === 0) return 0;
  return common / (crowd ? maskArea(detection) : union);
}
