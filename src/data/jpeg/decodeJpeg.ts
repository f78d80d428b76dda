import { type PixelMemory, type PlacedPixels, placeSize } from "../kernels/pixelMemory";
import type { Box } from "../resample";
import { type JpegComponent, type JpegHeader, naturalOrder } from "./header";
import { huffmanTable, TABLE_BYTES } from "./huffman";
import { BLOCK, BLOCK_BYTES, COEFFICIENT_BYTES, ORDER_BYTES, SLACK } from "./scanKernel";

/** Columns and rows of MCUs, both ends included. */
interface McuRange {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Samples of one component over the decoded MCUs. */
interface Plane {
  /** Of the first sample. */
  readonly address: number;
  readonly stride: number;
  readonly component: JpegComponent;
}

/** Between the rows of planes: what upsampling reads left of the first sample and right of the last. */
const MARGIN = 32;
/** What one MCU row of a picture may need at most, so that nothing is taken for sizes that only a header claims. */
const LEAST_BITS_PER_BLOCK = 2;

/**
 * Decodes a part of a baseline JPEG picture to RGB, bit for bit as libjpeg does (islow, fancy upsampling): the entropy
 * code from the start to the last row that is needed, everything after it for the MCUs of the part alone. Gives
 * undefined for data that are broken in any way, which others should judge.
 */
export function decodeJpeg(
  memory: PixelMemory,
  file: Uint8Array,
  header: JpegHeader,
  box: Box,
): PlacedPixels | undefined {
  const { width, height, components } = header;
  const [mcuWidth, mcuHeight] = [8 * components[0].h, 8 * components[0].v];
  const mcusPerRow = Math.ceil(width / mcuWidth);
  const mcuRows = Math.ceil(height / mcuHeight);
  const blocks = components.reduce((sum, { h, v }) => sum + h * v, 0) * mcusPerRow * mcuRows;
  if (8 * file.length < blocks * LEAST_BITS_PER_BLOCK) return undefined;
  const range: McuRange = {
    left: Math.floor(Math.max(0, box.left - 2) / mcuWidth),
    right: Math.floor(Math.min(width - 1, box.left + box.width + 1) / mcuWidth),
    top: Math.floor(Math.max(0, box.top - 2) / mcuHeight),
    bottom: Math.floor(Math.min(height - 1, box.top + box.height + 1) / mcuHeight),
  };
  const planes = components.map((component) => takePlane(memory, component, range));
  if (!decodeScan(memory, file, header, planes, range, { mcusPerRow, mcuRows })) return undefined;
  for (const plane of planes.slice(1)) extendEdges(memory, plane, header, range);
  return convert(memory, planes, range, box, header);
}

function takePlane(memory: PixelMemory, component: JpegComponent, range: McuRange): Plane {
  const width = 8 * component.h * (range.right - range.left + 1);
  const height = 8 * component.v * (range.bottom - range.top + 1);
  const stride = width + MARGIN;
  return { address: memory.take(stride * height + 3 * MARGIN) + MARGIN / 2, stride, component };
}

function decodeScan(
  memory: PixelMemory,
  file: Uint8Array,
  header: JpegHeader,
  planes: readonly Plane[],
  { left, right, top, bottom }: McuRange,
  { mcusPerRow, mcuRows }: { mcusPerRow: number; mcuRows: number },
): boolean {
  const order = placeOrder(memory);
  const coefficients = memory.take(COEFFICIENT_BYTES);
  const blocks = placeBlocks(memory, planes);
  if (!blocks) return false;
  const length = file.length - header.dataStart;
  const source = memory.take(length + SLACK);
  const streamTop = memory.take(length + 2 * SLACK) + length + 2 * SLACK;
  const cell = memory.take(4);
  memory.bytes(source, length).set(file.subarray(header.dataStart));
  const { unstuff, decodeMcus } = memory.run;
  const wanted = mcusPerRow * bottom + right + 1;
  for (let [at, mcu] = [source, 0], restarts = 0; ; restarts++) {
    const end = unstuff(at, source + length, streamTop, cell);
    const streamEnd = memory.ints(cell, 1)[0];
    memory.bytes(streamEnd - SLACK, SLACK).fill(0);
    const whole = mcusPerRow * mcuRows;
    const count = Math.min(header.restartInterval || whole, whole - mcu, Math.max(0, wanted - mcu));
    if (count > 0) {
      memory.ints(blocks.predictors, planes.length).fill(0);
      const [row, column] = [Math.floor(mcu / mcusPerRow), mcu % mcusPerRow];
      const keep = [left, right, top] as const;
      const stream = [streamTop, streamEnd, coefficients, order] as const;
      if (!decodeMcus(blocks.start, blocks.end, mcusPerRow, row, column, count, ...keep, ...stream))
        return false;
      mcu += count;
    }
    const marker = end < source + length ? memory.bytes(end + 1, 1)[0] : 0;
    if (marker === 0xd9) return mcu === wanted;
    if (header.restartInterval === 0 || marker !== (0xd0 | (restarts & 7))) return false;
    at = end + 2;
  }
}

/** Byte offsets of coefficients in the order of the file, then the spare place over and over. */
function placeOrder(memory: PixelMemory): number {
  const address = memory.take(ORDER_BYTES);
  const order = memory.bytes(address, ORDER_BYTES).fill(2 * 64);
  for (const [i, position] of naturalOrder.entries()) order[i] = 2 * position;
  return address;
}

/** Describes the blocks of an MCU in their order. Undefined where a Huffman table is none. */
function placeBlocks(memory: PixelMemory, planes: readonly Plane[]) {
  const predictors = memory.take(4 * planes.length);
  const places = planes.flatMap(({ address, stride, component }, i) => {
    const dc = placeTable(memory, huffmanTable(component.dc, "dc"));
    const ac = placeTable(memory, huffmanTable(component.ac, "ac"));
    const quantization = memory.take(2 * 64);
    memory.shorts(quantization, 64).set(component.quantization);
    return Array.from({ length: component.h * component.v }, (_, k) => ({
      ...{ dc, ac, quantization, predictor: predictors + 4 * i, stride },
      target: address + 8 * (k % component.h) + 8 * stride * Math.floor(k / component.h),
      stepX: 8 * component.h,
      stepY: 8 * component.v * stride,
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
  return { start, end: start + BLOCK_BYTES * places.length, predictors };
}

function placeTable(memory: PixelMemory, table: Int32Array | undefined): number | undefined {
  if (!table) return undefined;
  const address = memory.take(TABLE_BYTES);
  memory.ints(address, TABLE_BYTES / 4).set(table);
  return address;
}

/** Repeats the picture's last column and row, and its first, where upsampling looks behind them. */
function extendEdges(memory: PixelMemory, plane: Plane, header: JpegHeader, range: McuRange): void {
  const [luma] = header.components;
  const { address, stride } = plane;
  const width = Math.ceil(header.width / luma.h) - 8 * range.left;
  const rows = 8 * (range.bottom - range.top + 1);
  const samples = memory.bytes(address - 1, stride * rows);
  const decoded = 8 * (range.right - range.left + 1);
  for (let at = 0; at < samples.length; at += stride) {
    if (range.left === 0) samples[at] = samples[at + 1];
    if (width <= decoded) samples[at + 1 + width] = samples[at + width];
  }
}

/** The rows of the box, all columns that were decoded; the address given is that of the box's first pixel. */
function convert(
  memory: PixelMemory,
  planes: readonly Plane[],
  range: McuRange,
  box: Box,
  header: JpegHeader,
): PlacedPixels {
  const [luma, ...chroma] = planes;
  const { h, v } = luma.component;
  const count = 8 * h * (range.right - range.left + 1);
  const line = 3 * count + 48;
  const target = memory.take(placeSize(line, box.height));
  const upsampled = chroma.map(() => memory.take(count + 2 * MARGIN));
  const { upsample, yccToRgb, grayToRgb } = memory.run;
  const lastChromaRow = Math.ceil(header.height / v) - 1;
  for (let row = 0; row < box.height; row++) {
    const y = box.top + row;
    const to = target + row * line;
    const lumaRow = luma.address + (y - 8 * v * range.top) * luma.stride;
    if (chroma.length === 0) {
      grayToRgb(lumaRow, count, to);
      continue;
    }
    const near = Math.floor(y / v);
    const far = v === 1 ? near : Math.min(lastChromaRow, Math.max(0, near + (y % 2 === 0 ? -1 : 1)));
    const rows = chroma.map(({ address, stride }, i) => {
      const at = (chromaRow: number) => address + (chromaRow - 8 * range.top) * stride;
      if (h === 1) return at(near);
      const [roundLeft, roundRight] = v === 1 ? [4, 8] : [8, 7];
      upsample(at(near), at(far), count / 2, upsampled[i], roundLeft, roundRight);
      return upsampled[i];
    });
    yccToRgb(lumaRow, rows[0], rows[1], count, to);
  }
  const { left, width, height } = box;
  return { address: target + 3 * (left - 8 * h * range.left), line, width, height };
}
