import { BORDER } from "../kernels/borderKernel";
import { type PixelMemory, placeSize } from "../kernels/pixelMemory";
import { ROW_INTS } from "../kernels/shiftKernel";
import type { AffineMatrix } from "./affine";
import { placeShifts, type Shift, shiftBy, spanWithin } from "./shiftWeights";

/** A picture with its border and what is to be done with it. */
export interface Move {
  readonly memory: PixelMemory;
  readonly source: { readonly address: number; readonly line: number };
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

/** Rows of which each moves sideways by its own amount: shear along x, and translation. */
export function rowShift(move: Move): Rows | undefined {
  const { memory, source, width, height, matrix, fill, list } = move;
  const [a, b, c, d, e, f] = matrix;
  if (!(a === 1 && d === 0 && e === 1 && f === 0 && (b === 0 || c === 0))) return undefined;
  const rows = memory.take(4 * ROW_INTS * height);
  const told = memory.ints(rows, ROW_INTS * height);
  let shift: Shift | undefined;
  let span = { start: 0, end: 0 };
  for (let y = 0; y < height; y++) {
    const offset = b * (y + 0.5) + c;
    if (offset !== shift?.offset) {
      shift = shiftBy(offset);
      span = spanWithin(width, width, (x) => x + 0.5 + b * (y + 0.5) + c);
    }
    const from = source.address + y * source.line + 3 * (span.start + shift.whole - 1);
    told.set([from, span.start, span.end, shift.margin, ...shift.pairs], ROW_INTS * y);
  }
  return (y, end, target) =>
    memory.run.shiftRows(rows + 4 * ROW_INTS * y, end - y, y, 3, target, width, fill, list, 0, 0);
}

/** Columns of which each moves up or down by its own amount: shear along y, and translation. */
export function columnShift(move: Move): Rows | undefined {
  const { memory, width, height, matrix, fill, list } = move;
  const [a, b, c, d, e, f] = matrix;
  if (!(a === 1 && b === 0 && c === 0 && e === 1 && (d === 0 || f === 0))) return undefined;
  const shifts = Array.from({ length: width }, (_, x) => shiftBy(d * (x + 0.5) + f));
  const levelled = d === 0 ? movedDown(move.source, shifts[0].whole) : level(move, shifts);
  const margin = Math.max(...shifts.map((shift) => shift.margin));
  const rows = memory.take(4 * ROW_INTS * height);
  const told = memory.ints(rows, ROW_INTS * height);
  for (let y = 0; y < height; y++) {
    const { start, end } = spanWithin(width, height, (x) => d * (x + 0.5) + (y + 0.5) + f);
    const from = levelled.address + (y - 1) * levelled.line + 3 * start;
    told.set([from, start, end, margin], ROW_INTS * y);
  }
  const stride = 12 * width + 64;
  const table = placeShifts(memory, shifts, stride);
  const { line } = levelled;
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

interface Place {
  readonly address: number;
  readonly line: number;
}

const movedDown = ({ address, line }: Place, rows: number): Place => ({
  address: address + rows * line,
  line,
});

/** A copy whose columns have moved by their whole rows, so far as there are rows: neighbours of one move together. */
function level({ memory, source, width, height }: Move, shifts: readonly Shift[]): Place {
  const { line } = source;
  const origin = BORDER * line;
  const target = memory.take(placeSize(line, height + 2 * BORDER)) + origin;
  for (let x = 0; x < width; ) {
    const { whole } = shifts[x];
    const first = Math.max(-1, -BORDER - whole);
    const end = Math.min(height + 2, height + BORDER - whole);
    const from = source.address + (first + whole) * line + 3 * x;
    if (end > first) memory.run.copyStrip(from, target + first * line + 3 * x, end - first, line);
    const next = x + STRIP;
    do x++;
    while (x < next && x < width && shifts[x].whole === whole);
  }
  return { address: target, line };
}
