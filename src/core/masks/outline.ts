import { decodeMask, type Rle } from "./rle";

/** Steps right, down, left and up, with the inside on the right hand. */
const steps = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * The borders of a mask along the edges of its pixels: closed lines x1, y1, x2, y2, …, clockwise around what is inside,
 * the other way around holes; corners alone. Pixels that touch at a corner belong to two lines.
 */
export function maskOutlines(rle: Rle): Float64Array[] {
  const { height, width } = rle;
  const mask = decodeMask(rle);
  const isInside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] === 1;
  /** Whether the border goes on from a corner in this direction: inside right of it, outside left of it. */
  const goes = (x: number, y: number, direction: number) => {
    if (direction === 0) return isInside(x, y) && !isInside(x, y - 1);
    if (direction === 1) return isInside(x - 1, y) && !isInside(x, y);
    if (direction === 2) return isInside(x - 1, y - 1) && !isInside(x - 1, y);
    return isInside(x, y - 1) && !isInside(x - 1, y - 1);
  };
  const isWalked = new Uint8Array(width * height);
  const outlines: Float64Array[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (isWalked[y * width + x] === 0 && goes(x, y, 0))
        outlines.push(
          walk(x, y, goes, (ax, ay) => {
            isWalked[ay * width + ax] = 1;
          }),
        );
    }
  }
  return outlines;
}

/** Follows a border from a corner, rightwards, until it is closed; `pass` is told where it goes rightwards. */
function walk(
  startX: number,
  startY: number,
  goes: (x: number, y: number, direction: number) => boolean,
  pass: (x: number, y: number) => void,
): Float64Array {
  const corners: number[] = [];
  let [x, y, direction, last] = [startX, startY, 0, -1];
  do {
    if (direction === 0) pass(x, y);
    if (direction !== last) corners.push(x, y);
    last = direction;
    x += steps[direction]![0];
    y += steps[direction]![1];
    // Of two ways on, the one to the right keeps pixels that touch at a corner apart.
    direction = [1, 0, 3].map((turn) => (direction + turn) % 4).find((next) => goes(x, y, next))!;
  } while (x !== startX || y !== startY || direction !== 0);
  return Float64Array.from(corners);
}
