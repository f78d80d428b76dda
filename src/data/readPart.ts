import { readFileSync } from "node:fs";
import { Rng } from "../core/rng";
import { withPath } from "./dataset";
import { type DecodeOptions, decodeImage, type RgbImage } from "./decode";
import { decodeJpeg } from "./jpeg/decodeJpeg";
import { type JpegHeader, readJpegHeader } from "./jpeg/header";
import { PixelMemory, type ResultPlace } from "./kernels/pixelMemory";
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

/** Reads a picture and does a transform's steps into a place of a memory. Throws LuvitError "bad-image". */
export async function readPart(
  source: PictureSource,
  options: DecodeOptions,
  steps: PixelSteps,
  seed: number,
  place: ResultPlace,
): Promise<void> {
  const file = contentOf(source);
  const header = file && uprightHeader(file, options);
  if (header && withPath(source.name, () => partOfJpeg(file, header, steps, new Rng(seed), place))) return;
  const image = await decodeImage(source.content, options, source.name);
  const side = Math.sqrt(place.length / 3);
  put(
    withPath(source.name, () => applySteps(steps, side, image, new Rng(seed))),
    place,
  );
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

/** Copies numbers to their place. */
export function put(numbers: Float32Array, { memory, address, length }: ResultPlace): void {
  memory.floats(address, length).set(numbers);
}

function partOfJpeg(
  file: Buffer,
  header: JpegHeader,
  steps: PixelSteps,
  rng: Rng,
  place: ResultPlace,
): boolean {
  const box = steps.region(header.width, header.height, rng);
  const { address, length } = place;
  return place.memory.perform((memory) => {
    const part = decodeJpeg(memory, file, header, box);
    if (!part) return false;
    const planes = steps.finish(memory, part, rng);
    if (planes !== address) put(memory.floats(planes, length), place);
    return true;
  }, address);
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
