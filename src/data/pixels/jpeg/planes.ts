import type { PixelMemory } from "../kernels/pixelMemory";
import type { JpegComponent, JpegHeader } from "./header";

/** Columns and rows of MCUs, both ends included. */
export interface McuRange {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Samples of one component over the decoded MCUs. */
export interface Plane {
  /** Of the first sample. */
  readonly address: number;
  readonly stride: number;
  readonly component: JpegComponent;
}

/** Between the rows of planes: what upsampling reads left of the first sample and right of the last. */
export const MARGIN = 32;
/** Room for a component's samples. */
export function takePlane(memory: PixelMemory, component: JpegComponent, range: McuRange): Plane {
  const width = 8 * component.h * (range.right - range.left + 1);
  const height = 8 * component.v * (range.bottom - range.top + 1);
  const stride = width + MARGIN;
  return { address: memory.take(stride * height + 3 * MARGIN) + MARGIN / 2, stride, component };
}

/** Repeats the image's last column and row, and its first, where upsampling looks behind them. */
export function extendEdges(memory: PixelMemory, plane: Plane, header: JpegHeader, range: McuRange): void {
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
