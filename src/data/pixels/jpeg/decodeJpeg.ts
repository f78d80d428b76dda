import type { PixelMemory, PlacedPixels } from "../kernels/pixelMemory";
import type { Box } from "../resample";
import { convert } from "./convert";
import type { JpegHeader } from "./header";
import type { PlacedFile } from "./placedFile";
import { extendEdges, type McuRange, takePlane } from "./planes";
import { decodeScan } from "./scan";

/** What one MCU row of an image may need at most, so that nothing is taken for sizes that only a header claims. */
const LEAST_BITS_PER_BLOCK = 2;

/**
 * Decodes a part of a baseline JPEG image to RGB, bit for bit as libjpeg does (islow, fancy upsampling): the entropy
 * code from the start to the last row that is needed, everything after it for the MCUs of the part alone. Gives
 * undefined for data that are broken in any way, which others should judge.
 *
 * Kept beside sharp (libjpeg-turbo) because of the part: of the processor's time for an image of 500 x 375, sharp takes
 * 2.1 to 2.5 times as much for a random crop, and 1.3 to 1.6 times for all of it (three runs, 2 cores). Measured by
 * `npm run bench -- jpeg --steps 9 --warmup 3`.
 */
export function decodeJpeg(
  memory: PixelMemory,
  file: PlacedFile,
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
