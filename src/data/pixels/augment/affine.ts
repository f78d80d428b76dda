import { NOTE_BYTES } from "../kernels/affineKernel";
import { ENTRY_BYTES } from "../kernels/pixelCode";
import type { Canvas } from "./canvas";
import { type AffineMatrix, columnShift, type Move, type Rows, rowShift } from "./shift";

/** A color for places outside of the image. */
export type Fill = readonly [red: number, green: number, blue: number];

/** Rows whose unclear pixels are listed together. */
const ROWS_AT_ONCE = 32;

/**
 * Moves an image within its frame, as Pillow's `transform(size, AFFINE, matrix, BICUBIC, fillcolor)`: in double
 * precision, by four times four pixels (a = -1) and without widening, cut to bytes, never rounded.
 *
 * A faster way tells nearly every byte surely: integers where the matrix shifts whole rows or columns, single precision
 * elsewhere. The pixels that it does not tell are done again as Pillow does them.
 *
 * Reference: Pillow 12 src/libImaging/Geometry.c, bicubic filter.
 */
export function affine(canvas: Canvas, matrix: AffineMatrix, [red, green, blue]: Fill): void {
  const { memory, width, height } = canvas;
  const [a, b, c, d, e, f] = matrix;
  const source = canvas.bordered();
  const target = canvas.takeTarget();
  const list = memory.take(ENTRY_BYTES * width * Math.min(height, ROWS_AT_ONCE));
  const place = memory.take(8 * matrix.length);
  memory.doubles(place, matrix.length).set([a, d, b, e, c, f]);
  const job = { memory, source, width, height, matrix, fill: red | (green << 8) | (blue << 16), list };
  const move = rowShift(job) ?? columnShift(job) ?? general(job, place);
  for (let y = 0; y < height; y += ROWS_AT_ONCE) {
    const to = target + 3 * width * y;
    const listEnd = move(y, Math.min(height, y + ROWS_AT_ONCE), to);
    memory.run.affineListed(source.address, source.line, width, place, target, list, listEnd);
  }
  canvas.replace(target, false);
}

/** By single precision. */
function general({ memory, source, width, height, fill, list }: Move, place: number): Rows {
  const notes = memory.take(NOTE_BYTES * width);
  const { address, line } = source;
  return (y, end, target) =>
    memory.run.affine(address, line, width, height, y, end, place, fill, target, list, notes);
}
