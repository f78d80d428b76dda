import { type PackedAxis, placeAxis } from "./axisWeights";
import { type PixelMemory, type PlacedPixels, placeSize } from "./pixelMemory";
import { MOST_PAIRS } from "./resampleCode";

/** RGB bytes outside of a PixelMemory: rows `line` bytes apart from `offset` on. */
export interface PixelRows {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly line: number;
  readonly width: number;
  readonly height: number;
}

/** Copies pixels to where kernels can read them. */
export function placePixels(
  memory: PixelMemory,
  { data, offset, line, width, height }: PixelRows,
): PlacedPixels {
  const length = 3 * width;
  const address = memory.take(placeSize(length, height));
  const placed = memory.bytes(address, length * height);
  if (line === length) placed.set(data.subarray(offset, offset + length * height));
  else {
    for (let row = 0; row < height; row++) {
      const from = offset + row * line;
      placed.set(data.subarray(from, from + length), row * length);
    }
  }
  return { address, line: length, width, height };
}

/** Both passes, across and then down; the rows of the result follow each other without gaps. */
export function resamplePixels(
  memory: PixelMemory,
  pixels: PlacedPixels,
  columns: PackedAxis,
  rows: PackedAxis,
): PlacedPixels {
  const { address, line } = pixels;
  const [width, height] = [columns.starts.length, rows.starts.length];
  const first = rows.starts[0];
  const count = rows.end - first;
  const across = placeAxis(memory, columns, 3, 0);
  const narrowLine = Math.ceil((3 * width + 1) / 16) * 16;
  const narrow = memory.take(placeSize(narrowLine, count));
  const horizontal = kernelFor(memory, "horizontal", columns.pairs);
  const from = [address + first * line, line, count] as const;
  horizontal(...from, narrow, narrowLine, width, across.starts, across.weights, columns.pairs);
  const down = placeAxis(memory, rows, narrowLine, first);
  const result = memory.take(placeSize(3 * width, height));
  const vertical = kernelFor(memory, "vertical", rows.pairs);
  vertical(narrow, narrowLine, result, 3 * width, height, down.starts, down.weights, rows.pairs);
  return { address: result, line: 3 * width, width, height };
}

function kernelFor(memory: PixelMemory, pass: "horizontal" | "vertical", pairs: number) {
  return memory.run[pairs <= MOST_PAIRS ? (`${pass}${pairs}` as `${typeof pass}1`) : pass];
}
