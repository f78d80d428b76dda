import { type PixelMemory, type PlacedPixels, placeSize } from "../kernels/pixelMemory";
import type { Box } from "../resample";
import type { JpegHeader } from "./header";
import { MARGIN, type McuRange, type Plane } from "./planes";

/** To RGB: the rows of the box, all columns that were decoded; the address given is that of the box's first pixel. */
export function convert(
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
  const [blueness, redness] = chroma.map((plane) => chromaRows(memory, plane, luma, range, header));
  const { yccToRgb, grayToRgb } = memory.run;
  for (let row = 0; row < box.height; row++) {
    const y = box.top + row;
    const lumaRow = luma.address + (y - 8 * v * range.top) * luma.stride;
    const to = target + row * line;
    if (chroma.length === 0) grayToRgb(lumaRow, count, to);
    else yccToRgb(lumaRow, blueness(y), redness(y), count, to);
  }
  const { left, width, height } = box;
  return { address: target + 3 * (left - 8 * h * range.left), line, width, height };
}

/** Gives where the chroma samples for a row of luma stand, upsampled if need be. */
function chromaRows(
  memory: PixelMemory,
  { address, stride }: Plane,
  luma: Plane,
  range: McuRange,
  header: JpegHeader,
): (y: number) => number {
  const { h, v } = luma.component;
  const first = address - 8 * range.top * stride;
  if (h === 1) return (y) => first + y * stride;
  const count = 4 * h * (range.right - range.left + 1);
  const upsampled = memory.take(2 * count + 2 * MARGIN);
  const lastRow = Math.ceil(header.height / v) - 1;
  const [roundLeft, roundRight] = v === 1 ? [4, 8] : [8, 7];
  const { upsample } = memory.run;
  return (y) => {
    const near = Math.floor(y / v);
    const far = v === 1 ? near : Math.min(lastRow, Math.max(0, near + (y % 2 === 0 ? -1 : 1)));
    upsample(first + near * stride, first + far * stride, count, upsampled, roundLeft, roundRight);
    return upsampled;
  };
}
