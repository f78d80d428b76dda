import { LuvitError } from "../errors";

/*
 * Binary masks as COCO keeps them: lengths of runs, column after column, zeros first.
 * Reference: cocodataset/cocoapi common/maskApi.h, whose results these are to the bit.
 */

/** A binary mask of `height` x `width` pixels; `counts` are the lengths of its runs of 0, of 1, of 0, … */
export interface Rle {
  readonly height: number;
  readonly width: number;
  readonly counts: Uint32Array;
}

/** Left, top, width and height in pixels. */
export type BoxXywh = readonly [x: number, y: number, width: number, height: number];

/** Runs of a mask [H, W] in rows, in which everything but 0 is inside. */
export function encodeMask(mask: ArrayLike<number>, height: number, width: number): Rle {
  if (mask.length !== height * width)
    throw new LuvitError("shape-mismatch", `a mask of ${mask.length} pixels is not ${height} x ${width}`);
  const counts: number[] = [];
  let inside = false;
  let length = 0;
  for (let x = 0; x < width; x++) {
    for (let at = x; at < mask.length; at += width) {
      if ((mask[at] !== 0) !== inside) {
        counts.push(length);
        length = 0;
        inside = !inside;
      }
      length++;
    }
  }
  counts.push(length);
  return { height, width, counts: Uint32Array.from(counts) };
}

/**
 * The mask [H, W] in rows, 0 and 1.
 *
 * @throws LuvitError("bad-argument") when the runs are not as long as the mask is large.
 */
export function decodeMask(rle: Rle): Uint8Array {
  expectWhole(rle);
  const { height, width, counts } = rle;
  const mask = new Uint8Array(height * width);
  let start = 0;
  counts.forEach((length, run) => {
    const end = start + length;
    if (run % 2 === 1) {
      let at = (start % height) * width + Math.floor(start / height);
      for (let place = start, y = start % height; place < end; place++) {
        mask[at] = 1;
        at += width;
        if (++y === height) {
          y = 0;
          at += 1 - height * width;
        }
      }
    }
    start = end;
  });
  return mask;
}

/**
 * @throws LuvitError("bad-argument") when the runs do not add up to the mask's pixels.
 */
export function expectWhole({ height, width, counts }: Rle): void {
  let sum = 0;
  for (const length of counts) sum += length;
  if (sum === height * width) return;
  throw new LuvitError(
    "bad-argument",
    `the runs of a mask of ${height} x ${width} pixels add up to ${sum}, not to ${height * width}`,
  );
}

/** Pixels inside. */
export function maskArea({ counts }: Rle): number {
  let area = 0;
  for (let run = 1; run < counts.length; run += 2) area += counts[run];
  return area;
}

/** The smallest box of whole pixels around a mask; of an empty one four zeros. */
export function maskBox({ height, width, counts }: Rle): BoxXywh {
  let [left, top, right, bottom] = [width, height, -1, -1];
  let start = 0;
  counts.forEach((length, run) => {
    const last = start + length - 1;
    if (run % 2 === 1 && length > 0) {
      const [firstColumn, lastColumn] = [Math.floor(start / height), Math.floor(last / height)];
      const spans = firstColumn < lastColumn;
      left = Math.min(left, firstColumn);
      right = Math.max(right, lastColumn);
      top = spans ? 0 : Math.min(top, start % height);
      bottom = spans ? height - 1 : Math.max(bottom, last % height);
    }
    start += length;
  });
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}
