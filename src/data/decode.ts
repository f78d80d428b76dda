import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import sharp from "sharp";
import { LuvitError } from "../core/errors";

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
 * blended, palettes are expanded, embedded colour profiles are ignored. Of 16-bit channels the high byte is kept (PIL
 * clips 16-bit gray instead). CMYK is converted by libvips' standard press profile, which differs a little from PIL.
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
    const { data, info } = await upright
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { data: info.channels === 3 ? data : replicate(data), width: info.width, height: info.height };
  } catch (error) {
    throw new LuvitError("bad-image", `${name}: cannot be decoded (${reasonOf(error, source)})`, {
      cause: error,
    });
  }
}

function replicate(gray: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 3 * gray.length }, (_, i) => gray[(i / 3) | 0]);
}

/** The decoder's own words on one line, without repeating the path. */
function reasonOf(error: unknown, source: string | Uint8Array): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message
    .trim()
    .split(/\s*\n\s*/)
    .join("; ");
  return typeof source === "string" ? line.split(source).join(basename(source)) : line;
}
