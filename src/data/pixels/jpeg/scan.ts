import type { PixelMemory } from "../kernels/pixelMemory";
import { CodedStream, type PlacedBlocks } from "./codedStream";
import { BLOCK, BLOCK_BYTES, COEFFICIENT_BYTES, ORDER_BYTES } from "./entropyKernel";
import { type JpegHeader, naturalOrder } from "./header";
import { huffmanTable } from "./huffman";
import { SCRATCH_BYTES } from "./idctKernel";
import type { PlacedFile } from "./placedFile";
import type { McuRange, Plane } from "./planes";

/** Reads the MCUs of the range and transforms them, a row of MCUs at a time. */
export function decodeScan(
  memory: PixelMemory,
  file: PlacedFile,
  header: JpegHeader,
  planes: readonly Plane[],
  range: McuRange,
  { mcusPerRow, mcuRows }: { mcusPerRow: number; mcuRows: number },
): boolean {
  const { left, right, top, bottom } = range;
  const blocks = placeBlocks(memory, header);
  if (!blocks) return false;
  const stream = new CodedStream({ memory, file, header, blocks, leftInImage: mcusPerRow * mcuRows });
  const across = right - left + 1;
  const coefficients = memory.take(COEFFICIENT_BYTES * blocks.count * across + 16);
  memory.bytes(coefficients, COEFFICIENT_BYTES * blocks.count * across).fill(0);
  const ends = memory.take(blocks.count * across);
  const order = placeOrder(memory);
  const transform = rowTransform(memory, planes, blocks.count, { across, coefficients, ends });
  if (!stream.skip(top * mcusPerRow + left)) return false;
  for (let row = top; row <= bottom; row++) {
    if (!stream.read(across, coefficients, ends, order)) return false;
    transform(row - top);
    if (row < bottom && !stream.skip(mcusPerRow - across)) return false;
  }
  return stream.finish();
}

/** Byte offsets of coefficients by the position behind them in the file's order; behind the last one the spare place. */
function placeOrder(memory: PixelMemory): number {
  const address = memory.take(ORDER_BYTES);
  const order = memory.bytes(address, ORDER_BYTES).fill(COEFFICIENT_BYTES);
  for (const [i, position] of naturalOrder.entries()) order[i + 1] = 2 * position;
  return address;
}

/** Describes the blocks of an MCU in their order. Undefined where a Huffman table is none. */
function placeBlocks(memory: PixelMemory, { components }: JpegHeader): PlacedBlocks | undefined {
  const predictors = memory.take(4 * components.length);
  const places = components.flatMap((component, i) => {
    const dc = placeTable(memory, huffmanTable(component.dc, "dc"));
    const ac = placeTable(memory, huffmanTable(component.ac, "ac"));
    return Array.from({ length: component.h * component.v }, () => ({
      dc,
      ac,
      predictor: predictors + 4 * i,
    }));
  });
  if (places.some(({ dc, ac }) => dc === undefined || ac === undefined)) return undefined;
  const start = memory.take(BLOCK_BYTES * places.length);
  const numbers = memory.ints(start, (BLOCK_BYTES / 4) * places.length);
  for (const [i, place] of places.entries()) {
    for (const [name, offset] of Object.entries(BLOCK)) {
      numbers[(BLOCK_BYTES * i + offset) / 4] = place[name as keyof typeof BLOCK]!;
    }
  }
  return { start, count: places.length, predictors, components: components.length };
}

function placeTable(memory: PixelMemory, table: Int32Array | undefined): number | undefined {
  if (!table) return undefined;
  const address = memory.take(4 * table.length);
  memory.ints(address, table.length).set(table);
  return address;
}

/** What transforms a row of MCUs, from their coefficients to the planes. */
function rowTransform(
  memory: PixelMemory,
  planes: readonly Plane[],
  perMcu: number,
  { across, coefficients, ends }: { across: number; coefficients: number; ends: number },
): (row: number) => void {
  const scratch = memory.take(SCRATCH_BYTES);
  const blocks = planes.flatMap(({ address, stride, component: { h, v, quantization } }) => {
    const steps = memory.take(2 * 64);
    memory.shorts(steps, 64).set(quantization);
    return Array.from({ length: h * v }, (_, k) => ({
      target: address + 8 * (k % h) + 8 * stride * Math.floor(k / h),
      ...{ steps, stride, stepX: 8 * h, stepY: 8 * v * stride },
    }));
  });
  const { transformBlocks } = memory.run;
  return (row) => {
    for (const [i, { target, steps, stride, stepX, stepY }] of blocks.entries()) {
      const from = [
        coefficients + COEFFICIENT_BYTES * i,
        COEFFICIENT_BYTES * perMcu,
        ends + i,
        perMcu,
      ] as const;
      transformBlocks(...from, across, steps, target + row * stepY, stepX, stride, scratch);
    }
  };
}
