import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import sharp from "sharp";
import { LuvitError } from "../core/errors";
import { isCmykJpeg } from "./jpeg/isCmyk";

/** A picture in host memory: `data` holds RGB bytes [H, W, 3], rows from the top. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Whether the orientation a camera wrote into the file turns the picture. */
export interface DecodeOptions {
  /** Default "honour". "ignore" is what the reference training code (PIL without exif_transpose) does. */
  exif?: "honour" | "ignore";
}

/**
 * Decodes a picture file to 8-bit RGB as PIL's `convert("RGB")` does: gray is replicated, alpha is dropped and not
 * blended, palettes are expanded, embedded colour profiles are ignored, JPEG files of four inks are converted without any.
 * Of 16-bit channels the high byte is kept (PIL clips 16-bit gray instead).
 *
 * Throws LuvitError "bad-image" for anything that cannot be read to the end.
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
  name = typeof source === "string" ? source : `${source.length} bytes in memory`,
): Promise<RgbImage> {
  const { exif = "honour" } = options;
  try {
    // Bytes, not a path: libvips remembers files by name and would not notice that one was replaced.
    const bytes = typeof source === "string" ? await readFile(source) : source;
    const input = sharp(bytes, { failOn: "error", ignoreIcc: true });
    const upright = exif === "honour" ? input.autoOrient() : input;
    const coloured = isCmykJpeg(bytes)
      ? upright.pipelineColourspace("cmyk").toColourspace("cmyk")
      : upright.toColourspace("srgb").removeAlpha();
    const { data, info } = await coloured.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return { data: toRgb(data, info.channels), width: info.width, height: info.height };
  } catch (error) {
    const verb = (error as NodeJS.ErrnoException).syscall === undefined ? "decoded" : "read";
    throw new LuvitError("bad-image", `${name}: cannot be ${verb} (${reasonOf(error, source)})`, {
      cause: error,
    });
  }
}

function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  return channels === 4 ? inksToRgb(data) : replicate(data);
}

function replicate(gray: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 3 * gray.length }, (_, i) => gray[(i / 3) | 0]);
}

/** Every ink takes its share of the light that black leaves. Reference: Pillow src/libImaging/Convert.c, cmyk2rgb. */
function inksToRgb(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const light = 255 - inks[from + 3];
    for (let c = 0; c < 3; c++) rgb[to++] = Math.max(0, light - Math.round((inks[from + c] * light) / 255));
  }
  return rgb;
}

/** The decoder's own words on one line, without repeating the path. */
function reasonOf(error: unknown, source: string | Uint8Array): string {
  const message = error instanceof Error ? error.message : String(error);
  // libvips repeats itself.
  const line = [...new Set(message.trim().split(/\s*\n\s*/))].join("; ");
  return typeof source === "string" ? line.split(source).join(basename(source)) : line;
}
