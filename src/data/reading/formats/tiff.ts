import { unreadable } from "../../pixels";
import type { TiffLayout } from "./tiffDirectory";

/** How the samples of a TIFF file become RGB. */
export type TiffReading =
  /** As in every other file. */
  | "colors"
  /** One channel of 16 bits. */
  | "gray16"
  /** The same, stored with 0 for white, which Pillow does not turn round. */
  | "inverted-gray16"
  /** One channel of signed bytes, whose bits Pillow takes for unsigned ones. */
  | "signed-bytes"
  /** RGB that was multiplied with alpha, to be undone. */
  | "multiplied"
  | "inks"
  /** Inks of 16 bits, of which the high byte counts. */
  | "deep-inks";

const colorNames: Readonly<Record<number, string>> = {
  4: "a transparency mask",
  6: "YCbCr",
  8: "CIE L*a*b*",
  9: "ICC L*a*b*",
  10: "ITU L*a*b*",
  32803: "a color filter array",
  32844: "LogL",
  32845: "LogLuv",
  34892: "linear raw",
};

const jpegCompressions = [6, 7];

/** Compressions that libvips was built without here. */
const unknownCompressions: Readonly<Record<number, string>> = {
  34925: "LZMA",
  50000: "Zstandard",
  50001: "WebP",
  50002: "JPEG XL",
};

/**
 * How to read a TIFF file so that its pixels are Pillow's. Reference: Pillow TiffImagePlugin.py, OPEN_INFO.
 *
 * @throws LuvitError("bad-image") for layouts that Pillow does not know and for those that would come out otherwise.
 */
export function tiffReading(layout: TiffLayout): TiffReading {
  const { photometric, compression } = layout;
  const packed = unknownCompressions[compression];
  if (packed)
    throw unreadable(`TIFF: compressed with ${packed}, which is not read; save it with LZW or Deflate`);
  const known = readings[photometric]?.(layout);
  if (known) return known;
  if (photometric === 6 && jpegCompressions.includes(compression) && areAll(layout, 8, 3)) return "colors";
  throw unreadable(`TIFF: ${describe(layout)} cannot be read; save it as 8-bit RGB`);
}

const readings: Readonly<Record<number, (layout: TiffLayout) => TiffReading | undefined>> = {
  0: (layout) => grayReading(layout, "inverted-gray16"),
  1: (layout) => grayReading(layout, "gray16") ?? (hasAlpha(layout) ? "colors" : undefined),
  2: rgbReading,
  3: paletteReading,
  5: ({ bits, sampleFormat, extra }) => {
    if (sampleFormat !== 1 || extra.some((kind) => kind !== 0)) return undefined;
    if (bits.join() === "16,16,16,16") return "deep-inks";
    return ["8,8,8,8", "8,8,8,8,8"].includes(bits.join()) ? "inks" : undefined;
  },
};

function grayReading({ bits, sampleFormat }: TiffLayout, short: TiffReading): TiffReading | undefined {
  if (bits.length !== 1) return undefined;
  const [depth] = bits;
  if (sampleFormat === 1 && [1, 2, 4, 8, 32].includes(depth)) return "colors";
  if (depth === 32 && (sampleFormat === 2 || sampleFormat === 3)) return "colors";
  if (depth === 8 && sampleFormat === 2) return "signed-bytes";
  return depth === 16 && (sampleFormat === 1 || sampleFormat === 2) ? short : undefined;
}

/** libvips takes the plane of alpha for entries of the palette. */
function paletteReading({ bits, sampleFormat, extra, isPlanar }: TiffLayout): TiffReading | undefined {
  if (sampleFormat !== 1) return undefined;
  const isWithAlpha = bits.join() === "8,8" && extra[0] !== 1 && !isPlanar;
  return isWithAlpha || (bits.length === 1 && bits[0] <= 8) ? "colors" : undefined;
}

function hasAlpha({ bits, sampleFormat, extra }: TiffLayout): boolean {
  return bits.join() === "8,8" && sampleFormat === 1 && extra.join() === "2";
}

function rgbReading(layout: TiffLayout): TiffReading | undefined {
  const { sampleFormat, extra } = layout;
  if (sampleFormat !== 1) return undefined;
  if (extra.includes(1)) return areAll(layout, 8, 4) ? "multiplied" : undefined;
  if (areAll(layout, 8, 3, 4)) return "colors";
  return areAll(layout, 16, 3, 4) || areAll(layout, 8, 5) ? "colors" : undefined;
}

/** Whether a pixel has so many samples of so many bits. */
function areAll({ bits }: TiffLayout, depth: number, ...counts: number[]): boolean {
  return counts.includes(bits.length) && bits.every((given) => given === depth);
}

function describe({ photometric, bits, sampleFormat, extra, isPlanar }: TiffLayout): string {
  const kind = ["gray", "gray", "RGB", "a palette", undefined, "CMYK"][photometric];
  const colors = kind ?? colorNames[photometric] ?? `colors of kind ${photometric}`;
  const numbers = ["mixed ", "", "signed ", "floating-point "][sampleFormat] ?? "other ";
  const alpha = extra.length > 0 ? ` with extra samples of kind ${extra.join(", ")}` : "";
  const planes = isPlanar ? " in separate planes" : "";
  return `${colors} in ${bits.length} ${numbers}samples of ${[...new Set(bits)].join(" or ")} bits${alpha}${planes}`;
}
