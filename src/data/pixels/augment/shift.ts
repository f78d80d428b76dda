import { BORDER } from "../kernels/borderKernel";
import { type PixelMemory, placeSize } from "../kernels/pixelMemory";
import { ROW_INTS } from "../kernels/shiftKernel";
import { MARGIN, putWeights, SpanFinder } from "./shiftWeights";

/** Output (x, y) shows input (a x + b y + c, d x + e y + f), both at the centers of pixels. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Where the first pixel of an image lies, and how far its rows are apart. */
interface Place {
  readonly address: number;
  readonly line: number;
}

/** An image with its border and what is to be done with it. */
export interface Move {
  readonly memory: PixelMemory;
  readonly source: Place;
  readonly width: number;
  readonly height: number;
  readonly matrix: AffineMatrix;
  /** Three bytes of a number. */
  readonly fill: number;
  /** Address of the list of unclear pixels. */
  readonly list: number;
}

/** Does rows from `y` up to `end` to where `target` is row `y`'s place; gives the end of the list. */
export type Rows = (y: number, end: number, target: number) => number;

/** Pixels that one vector holds. */
const STRIP = 5;

/** How far one row moves, and which of its pixels show the image. */
interface RowShift {
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

/** Shear along x, or translation along one axis, by integers; undefined for other matrices. */
export function rowShift(move: Move): Rows | undefined {
  const { source, width, height, matrix } = move;
  const [a, b, c, d, e, f] = matrix;
  if (a !== 1 || d !== 0 || e !== 1) return undefined;
  if (f === 0 && (b === 0 || c === 0)) {
    const spans = new SpanFinder(width, width, true);
    return eachRow(move, 3, (y) => {
      const slope = b * (y + 0.5);
      return { offset: slope + c, ...spans.find((x) => x + 0.5 + slope + c) };
    });
  }
  if (b !== 0 || c !== 0) return undefined;
  return eachRow(move, source.line, (y) => {
    const inside = y + 0.5 + f >= 0 && y + 0.5 + f < height;
    return { offset: f, start: 0, end: inside ? width : 0 };
  });
}

function eachRow(move: Move, step: number, rowAt: (y: number) => RowShift): Rows {
  const { memory, source, width, height, fill, list } = move;
  const rows = memory.take(4 * ROW_INTS * height);
  const told = memory.ints(rows, ROW_INTS * height);
  for (let y = 0; y < height; y++) {
    const { offset, start, end } = rowAt(y);
    const whole = Math.floor(offset);
    const from = source.address + y * source.line + 3 * start + (whole - 1) * step;
    const at = ROW_INTS * y;
    told[at] = from;
    told[at + 1] = start;
    told[at + 2] = end;
    told[at + 3] = offset === whole ? 0 : MARGIN;
    putWeights(offset - whole, told, at + 4, 1);
  }
  return (y, end, target) =>
    memory.run.shiftRows(rows + 4 * ROW_INTS * y, end - y, y, step, target, width, fill, list, 0, 0);
}

/** Shear along y by integers: every column moves by its own amount. Undefined for other matrices. */
export function columnShift(move: Move): Rows | undefined {
  const { memory, width, height, matrix, fill, list } = move;
  const [a, b, c, d, e, f] = matrix;
  if (a !== 1 || b !== 0 || c !== 0 || e !== 1 || f !== 0) return undefined;
  const stride = 12 * width + 64;
  const table = memory.take(4 * stride);
  const weights = memory.ints(table, stride);
  const wholes = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    const offset = d * (x + 0.5);
    wholes[x] = Math.floor(offset);
    putWeights(offset - wholes[x], weights, 3 * x, stride / 4);
    for (let k = 0; k < stride; k += stride / 4)
      weights.fill(weights[k + 3 * x], k + 3 * x + 1, k + 3 * x + 3);
  }
  const { address, line } = levelled(move, wholes);
  const rows = memory.take(4 * ROW_INTS * height);
  const told = memory.ints(rows, ROW_INTS * height);
  const spans = new SpanFinder(width, height, d >= 0);
  for (let y = 0; y < height; y++) {
    const { start, end } = spans.find((x) => d * (x + 0.5) + (y + 0.5));
    told.set([address + (y - 1) * line + 3 * start, start, end, MARGIN], ROW_INTS * y);
  }
  return (y, end, target) =>
    memory.run.shiftColumns(
      rows + 4 * ROW_INTS * y,
      end - y,
      y,
      line,
      target,
      width,
      fill,
      list,
      table,
      stride,
    );
}

/** A copy whose columns have moved by whole rows, so far as there are rows; neighbors that move alike do so together. */
function levelled({ memory, source, width, height }: Move, wholes: Int32Array): Place {
  const { line } = source;
  const address = memory.take(placeSize(line, height + 2 * BORDER)) + BORDER * line;
  for (let x = 0; x < width; ) {
    const whole = wholes[x];
    const first = Math.max(-1, -BORDER - whole);
    const end = Math.min(height + 2, height + BORDER - whole);
    const from = source.address + (first + whole) * line + 3 * x;
    if (end > first) memory.run.copyStrip(from, address + first * line + 3 * x, end - first, line);
    const next = x + STRIP;
    do x++;
    while (x < next && x < width && wholes[x] === whole);
  }
  return { address, line };
}
