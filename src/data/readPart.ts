import { readFileSync } from "node:fs";
import { Rng } from "../core/rng";
import { withPath } from "./dataset";
import { type DecodeOptions, decodeImage, type RgbImage } from "./decode";
import { decodeJpeg } from "./jpeg/decodeJpeg";
import { type JpegHeader, readJpegHeader } from "./jpeg/header";
import { PixelMemory } from "./kernels/pixelMemory";
import { applySteps, type PixelSteps } from "./pixelSteps";
import type { Box } from "./resample";

/*
 * Reading in a thread of one's own, where waiting holds up nobody. Baseline JPEG files, which nearly all photographs
 * are, are decoded here, and only the part that a transform looks at; everything else, broken files among it, goes to
 * sharp, whose pixels are the same.
 */

/** An encoded picture, or the file that holds it, and what it is called. */
export interface PictureSource {
  readonly name: string;
  readonly content: Uint8Array | string;
}

/** Reads a picture and does a transform's steps into `target`. Throws LuvitError "bad-image". */
export async function readPart(
  source: PictureSource,
  options: DecodeOptions,
  steps: PixelSteps,
  seed: number,
  target: Float32Array,
): Promise<void> {
  const file = contentOf(source);
  const header = file && uprightHeader(file, options);
  if (header && withPath(source.name, () => partOfJpeg(file, header, steps, new Rng(seed), target))) return;
  const image = await decodeImage(source.content, options, source.name);
  const side = Math.sqrt(target.length / 3);
  target.set(withPath(source.name, () => applySteps(steps, side, image, new Rng(seed))));
}

/** The whole picture. Throws LuvitError "bad-image". */
export async function decodeWhole(source: PictureSource, options: DecodeOptions): Promise<RgbImage> {
  const file = contentOf(source);
  const header = file && uprightHeader(file, options);
  return (header && partOf(file, header, boxOf(header))) ?? decodeImage(source.content, options, source.name);
}

const boxOf = ({ width, height }: JpegHeader): Box => ({ left: 0, top: 0, width, height });

/** What cannot be read is for decodeImage to name. */
function contentOf({ content }: PictureSource): Buffer | undefined {
  if (typeof content !== "string") return Buffer.from(content.buffer, content.byteOffset, content.length);
  try {
    return readFileSync(content);
  } catch {
    return undefined;
  }
}

function uprightHeader(file: Buffer, { exif = "honour" }: DecodeOptions): JpegHeader | undefined {
  const header = readJpegHeader(file);
  return header && (exif === "ignore" || header.orientation === 1) ? header : undefined;
}

function partOfJpeg(
  file: Buffer,
  header: JpegHeader,
  steps: PixelSteps,
  rng: Rng,
  target: Float32Array,
): boolean {
  const box = steps.region(header.width, header.height, rng);
  return PixelMemory.use((memory) => {
    const part = decodeJpeg(memory, file, header, box);
    if (part) target.set(memory.floats(steps.finish(memory, part, rng), target.length));
    return part !== undefined;
  });
}

/** A part of a baseline JPEG picture, not turned; undefined for every other file and for broken ones. */
export function decodePart(file: Buffer, box: Box): RgbImage | undefined {
  const header = readJpegHeader(file);
  return header && partOf(file, header, box);
}

function partOf(file: Buffer, header: JpegHeader, box: Box): RgbImage | undefined {
  const { width, height } = box;
  return PixelMemory.use((memory) => {
    const part = decodeJpeg(memory, file, header, box);
    if (!part) return undefined;
    const data = new Uint8Array(3 * width * height);
    for (let y = 0; y < height; y++) {
      data.set(memory.bytes(part.address + y * part.line, 3 * width), 3 * y * width);
    }
    return { data, width, height };
  });
}
