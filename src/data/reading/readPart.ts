import { withPath } from "../../core/errors";
import { Rng } from "../../core/rng";
import {
  applyStepsInto,
  type Box,
  decodeJpeg,
  type JpegHeader,
  PixelMemory,
  type PixelSteps,
  type PlacedFile,
  placeBytes,
  placedNumbers,
  placeFile,
  RegionFull,
  type ResultPlace,
  type RgbImage,
  readJpegHeader,
} from "../pixels";
import { type DecodeOptions, decodeImage, maxImagePixels } from "./decode";

/*
 * Reading in a thread of one's own, where waiting holds up nobody. Baseline JPEG files, which nearly all photographs
 * are, are decoded here, and only the part that a transform looks at; everything else, broken files among it, goes to
 * sharp, whose pixels are the same.
 */

/** An encoded image, or the file that holds it, and what it is called. */
export interface ImageSource {
  readonly name: string;
  readonly content: Uint8Array | string;
}

/**
 * Reads an image and does a transform's steps into a place of a memory.
 *
 * @throws LuvitError("bad-image")
 */
export async function readPart(
  source: ImageSource,
  options: DecodeOptions,
  steps: PixelSteps,
  seed: number,
  place: ResultPlace,
): Promise<void> {
  const { memory, address } = place;
  const work = (room: PixelMemory) => partOfJpeg(room, source, options, steps, new Rng(seed), place);
  if (withPath(source.name, () => inRoom(memory, work, address))) return;
  const image = await decodeImage(source.content, options, source.name);
  withPath(source.name, () => applyStepsInto(placedNumbers(place), steps, image, new Rng(seed)));
}

/**
 * The whole image.
 *
 * @throws LuvitError("bad-image")
 */
export async function decodeWhole(source: ImageSource, options: DecodeOptions): Promise<RgbImage> {
  return partOf(source, options, boxOf) ?? decodeImage(source.content, options, source.name);
}

const boxOf = ({ width, height }: JpegHeader): Box => ({ left: 0, top: 0, width, height });

/** A part of a baseline JPEG image, not turned; undefined for every other file and for broken ones. */
export function decodePart(file: Uint8Array, box: Box): RgbImage | undefined {
  return partOf({ name: "", content: file }, { exif: "ignore" }, () => box);
}

function partOfJpeg(
  memory: PixelMemory,
  source: ImageSource,
  options: DecodeOptions,
  steps: PixelSteps,
  rng: Rng,
  place: ResultPlace,
): boolean {
  const { address } = place;
  const file = placeContent(memory, source);
  const header = file && uprightHeader(memory, file, options);
  const part = header && decodeJpeg(memory, file, header, steps.region(header.width, header.height, rng));
  if (!part) return false;
  const planes = place.isBytes ? steps.bytes!(memory, part, rng) : steps.finish(memory, part, rng);
  if (memory !== place.memory || planes !== address)
    placedNumbers(place).set(placedNumbers({ ...place, memory, address: planes }));
  return true;
}

function partOf(
  source: ImageSource,
  options: DecodeOptions,
  boxFor: (header: JpegHeader) => Box,
): RgbImage | undefined {
  return PixelMemory.use((memory) => {
    const file = placeContent(memory, source);
    const header = file && uprightHeader(memory, file, options);
    const part = header && decodeJpeg(memory, file, header, boxFor(header));
    if (!part) return undefined;
    const { address, line, width, height } = part;
    const data = new Uint8Array(3 * width * height);
    for (let y = 0; y < height; y++) {
      data.set(memory.bytes(address + y * line, 3 * width), 3 * y * width);
    }
    return { data, width, height };
  });
}

/** Runs a step in a memory, or where that has not enough room in another one of this thread. */
function inRoom<Result>(
  memory: PixelMemory,
  step: (memory: PixelMemory) => Result,
  resultAddress: number,
): Result {
  try {
    return memory.perform(step, resultAddress);
  } catch (error) {
    if (error instanceof RegionFull) return PixelMemory.use(step);
    throw error;
  }
}

/** What cannot be read is for decodeImage to name. */
function placeContent(memory: PixelMemory, { content }: ImageSource): PlacedFile | undefined {
  if (typeof content !== "string") return placeBytes(memory, content);
  try {
    return placeFile(memory, content);
  } catch (error) {
    if (error instanceof RegionFull) throw error;
    return undefined;
  }
}

function uprightHeader(
  memory: PixelMemory,
  { address, length }: PlacedFile,
  { exif = "honor", maxPixels = maxImagePixels }: DecodeOptions,
): JpegHeader | undefined {
  const header = readJpegHeader(Buffer.from(memory.buffer, address, length));
  if (!header || header.width * header.height > maxPixels) return undefined;
  return exif === "ignore" || header.orientation === 1 ? header : undefined;
}
