import { bilinearAxis, nearestIndices } from "../core/resample";

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
  planes: LogitPlanes,
  height: number,
  width: number,
  longest = LONGEST,
): Int32Array {
  if (height * width <= longest ** 2) return largestResized(planes, height, width);
  const isHigh = height > width;
  const small = isHigh
    ? { height: longest, width: Math.trunc((longest * width) / height) }
    : { height: Math.trunc((longest * height) / width), width: longest };
  const ids = largestResized(planes, small.height, small.width);
  const [down, across] = [nearestIndices(small.height, height), nearestIndices(small.width, width)];
  return Int32Array.from({ length: height * width }, (_, i) => {
    return ids[down[Math.floor(i / width)] * small.width + across[i % width]];
  });
}

type Axis = ReturnType<typeof bilinearAxis>;

/** Part of a plane between four logits, and the pixels that lie there. */
interface Cell {
  /** Places of its corners in a plane: above left, above right, below left, below right. */
  readonly corners: readonly [number, number, number, number];
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * By pixel the class whose resized logit is the largest, the first of equal ones; the resized planes, 920 for ImageNet-S, are
 * never made. A resized logit lies between its four corners, so that of each cell only the classes are compared whose
 * largest corner is not below the smallest corner of another class.
 */
function largestResized({ logits, rows, columns }: LogitPlanes, height: number, width: number): Int32Array {
  const [down, across] = [bilinearAxis(rows, height), bilinearAxis(columns, width)];
  const ids = new Int32Array(height * width);
  for (const cell of cellsOf(down, across, columns)) {
    const candidates = candidatesOf(logits, rows * columns, cell.corners);
    if (candidates.length === 1) {
      for (let y = cell.top; y < cell.bottom; y++)
        ids.fill(candidates[0], y * width + cell.left, y * width + cell.right);
    } else compareIn(cell, candidates, { logits, size: rows * columns, down, across, ids, width });
  }
  return ids;
}

function* cellsOf(down: Axis, across: Axis, columns: number): Generator<Cell> {
  for (const [top, bottom] of runsOf(down.first)) {
    const [above, below] = [down.first[top] * columns, down.next[top] * columns];
    for (const [left, right] of runsOf(across.first)) {
      const [first, next] = [across.first[left], across.next[left]];
      yield { corners: [above + first, above + next, below + first, below + next], top, bottom, left, right };
    }
  }
}

/** Stretches of equal numbers. */
function runsOf(numbers: Int32Array): [number, number][] {
  const runs: [number, number][] = [];
  for (let start = 0; start < numbers.length; ) {
    let end = start + 1;
    while (end < numbers.length && numbers[end] === numbers[start]) end++;
    runs.push([start, end]);
    start = end;
  }
  return runs;
}

/** Classes that may be the largest somewhere between four corners, in order. */
function candidatesOf(
  logits: Float32Array,
  size: number,
  [a, b, c, d]: readonly [number, number, number, number],
): number[] {
  let least = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < logits.length; at += size) {
    const low = Math.min(logits[at + a], logits[at + b], logits[at + c], logits[at + d]);
    if (low > least) least = low;
  }
  const border = least - 1e-5 * Math.max(1, Math.abs(least)); // sums of shares are rounded
  const found: number[] = [];
  for (let at = 0, id = 0; at < logits.length; at += size, id++) {
    const high = Math.max(logits[at + a], logits[at + b], logits[at + c], logits[at + d]);
    if (!(high < border)) found.push(id);
  }
  return found;
}

function compareIn(
  { corners: [a, b, c, d], top, bottom, left, right }: Cell,
  candidates: readonly number[],
  to: { logits: Float32Array; size: number; down: Axis; across: Axis; ids: Int32Array; width: number },
): void {
  const { logits, size, down, across, ids, width } = to;
  const best = new Float32Array((bottom - top) * (right - left));
  for (const [place, id] of candidates.entries()) {
    const at = id * size;
    const [leftAbove, leftBelow] = [logits[at + a], logits[at + c]];
    const [stepAbove, stepBelow] = [logits[at + b] - leftAbove, logits[at + d] - leftBelow];
    let i = 0;
    for (let y = top; y < bottom; y++) {
      const row = y * width;
      const share = down.share[y];
      for (let x = left; x < right; x++, i++) {
        const above = leftAbove + across.share[x] * stepAbove;
        const below = leftBelow + across.share[x] * stepBelow;
        const value = Math.fround(above + share * (below - above));
        if (place > 0 && value <= best[i]) continue;
        best[i] = value;
        ids[row + x] = id;
      }
    }
  }
}
