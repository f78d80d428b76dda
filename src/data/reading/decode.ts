import { basename } from "node:path";
import { LuvitError } from "../../core/errors";
import { checkOptions, oneOf, optionsOf, whole } from "../../core/options";
import { printable } from "../../core/printable";
import { exif, fileOrBytes } from "../options";
import { isShortage, type RgbImage, readImageFile } from "../pixels";
import { decodeBmp } from "./formats/bmp";
import { decodeGif } from "./formats/gif";
import { formatOf, type ImageFormat, kindOf } from "./formats/identify";
import { decodePnm } from "./formats/pnm";
import { decodeColors, decodePng, decodeTiff, type SharpOptions } from "./formats/withSharp";

/** How image files become RGB bytes. */
export interface DecodeOptions {
  /**
   * Whether the orientation a camera wrote into the file turns the image. Default "honor". "ignore" is what the
   * reference training code (PIL without exif_transpose) does; TIFF files are turned by both.
   */
  exif?: "honor" | "ignore";
  /**
   * What becomes of gray of 16 bits: "clip" (default, as PIL's `convert("RGB")`) makes everything above 255 white,
   * "high-byte" keeps the upper 8 bits, which is what most such files mean.
   */
  gray16?: "clip" | "high-byte";
  /** Larger images are refused before memory is taken for them; default `maxImagePixels`. */
  maxPixels?: number;
}

export const decodeOptions = optionsOf<DecodeOptions>(
  {},
  { exif, gray16: oneOf(["clip", "high-byte"]), maxPixels: whole(1, Number.MAX_SAFE_INTEGER) },
);

/** Pixels of the largest image that is read unless more are allowed; as in Pillow. */
export const maxImagePixels = 178_956_970;

const decoders: Readonly<
  Record<ImageFormat, (file: Buffer, options: SharpOptions) => RgbImage | Promise<RgbImage>>
> = {
  JPEG: decodeColors,
  WebP: decodeColors,
  PNG: decodePng,
  TIFF: decodeTiff,
  GIF: (file, { maxPixels }) => decodeGif(file, maxPixels),
  BMP: (file, { maxPixels }) => decodeBmp(file, maxPixels),
  PNM: (file, { maxPixels, gray16 }) => decodePnm(file, maxPixels, gray16),
};

/**
 * Decodes an image file to 8-bit RGB as PIL's `convert("RGB")` does: JPEG, PNG, WebP, TIFF, GIF (its first image),
 * BMP, and PBM, PGM, PPM, told apart by their content, whatever the file is called. Gray is replicated, alpha is
 * dropped and not blended, palettes are expanded, embedded color profiles are ignored, four inks are converted without
 * any. Of 16-bit channels the high byte is kept, except for gray alone, which `gray16` is for. One thing is read by its
 * specification and not as PIL does, which loses a pixel of each: odd literal runs in BMP files of 4-bit runs.
 *
 * @throws LuvitError("bad-image") for anything that cannot be read to the end, or is not read as PIL would, and
 * LuvitError("bad-file") where the system has no open files or memory left for it.
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
  given?: string,
): Promise<RgbImage> {
  checkOptions("decodeImage", fileOrBytes, source);
  checkOptions("decodeImage", decodeOptions, options);
  const name = given ?? (typeof source === "string" ? source : `${source.length} bytes in memory`);
  const { exif = "honor", gray16 = "clip", maxPixels = maxImagePixels } = options;
  try {
    const bytes = typeof source === "string" ? await readImageFile(source) : source;
    const format = formatOf(bytes);
    if (!format) throw new LuvitError("bad-image", `it is ${kindOf(bytes)}, not an image that can be read`);
    const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return await decoders[format](file, { exif, gray16, maxPixels });
  } catch (error) {
    const verb = (error as NodeJS.ErrnoException).syscall === undefined ? "decoded" : "read";
    const reason = reasonOf(error, source, maxPixels);
    if (isShortage(error)) throw notNow(`${printable(name)}: ${reason}`, error);
    throw new LuvitError("bad-image", `${printable(name)}: cannot be ${verb} (${reason})`, { cause: error });
  }
}

/** An error that does not make an image an unreadable one, which another would take the place of. */
function notNow(what: string, cause: unknown): LuvitError {
  const hint = "the system is short of open files or memory, the image may be good";
  return new LuvitError("bad-file", `${what}: ${hint}; raise ulimit -n, or read with fewer workers`, {
    cause,
  });
}

/** The decoder's own words on one line, without repeating the path. */
function reasonOf(error: unknown, source: string | Uint8Array, maxPixels: number): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes("exceeds pixel limit"))
    return `it has more pixels than the limit of ${maxPixels}; give a larger maxPixels to read it`;
  // libvips repeats itself.
  const line = [...new Set(message.trim().split(/\s*\n\s*/))].join("; ");
  return typeof source === "string" ? line.split(source).join(basename(source)) : line;
}
