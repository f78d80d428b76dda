import sharp, { type Sharp } from "sharp";
import { isCmykJpeg, type RgbImage, unreadable } from "../../pixels";
import { type Gray16, gray16ToBytes, inksToRgb, replicate } from "./raster";
import { type TiffReading, tiffReading } from "./tiff";
import { readTiffLayout, type TiffLayout } from "./tiffDirectory";

/** Loaders of libvips that no format needs which is read here; SVG is drawn by figures. */
sharp.block({
  operation: [
    "VipsForeignLoadHeif",
    "VipsForeignLoadJxl",
    "VipsForeignLoadJp2k",
    "VipsForeignLoadPdf",
    "VipsForeignLoadMagick",
    "VipsForeignLoadMagick7",
    "VipsForeignLoadOpenslide",
    "VipsForeignLoadOpenexr",
    "VipsForeignLoadFits",
    "VipsForeignLoadMat",
    "VipsForeignLoadAnalyze",
    "VipsForeignLoadVips",
    "VipsForeignLoadCsv",
    "VipsForeignLoadMatrix",
  ],
});

/** How one is to be read. */
export interface SharpOptions {
  readonly exif: "honor" | "ignore";
  readonly gray16: Gray16;
  readonly maxPixels: number;
}

interface Raw {
  readonly data: Buffer;
  readonly channels: number;
  readonly width: number;
  readonly height: number;
}

/** A JPEG or WebP file as RGB. */
export async function decodeColors(file: Buffer, options: SharpOptions): Promise<RgbImage> {
  return isCmykJpeg(file) ? inks(open(file, options)) : colors(open(file, options));
}

/** A PNG file as RGB; only its 16-bit gray is unlike the rest. */
export async function decodePng(file: Buffer, options: SharpOptions): Promise<RgbImage> {
  const [depth, colorType] = [file[24], file[25]];
  if (depth === 16 && colorType === 0) return gray16(open(file, options), options.gray16, "gray16");
  return colors(open(file, options));
}

/**
 * A TIFF file as RGB, always turned upright, as Pillow has it.
 *
 * @throws LuvitError("bad-image") where it would come out otherwise.
 */
export async function decodeTiff(file: Buffer, options: SharpOptions): Promise<RgbImage> {
  const layout = readTiffLayout(file);
  const reading = tiffReading(layout);
  const upright = { ...options, exif: "honor" } as const;
  if (reading === "multiplied") return multiplied(open(withPlainAlpha(file, layout), upright));
  const input = open(file, upright);
  if (reading === "colors") return colors(input);
  if (reading === "inks") return inks(input);
  if (reading === "deep-inks") return deepInks(input);
  if (reading === "signed-bytes") return signedBytes(input);
  return gray16(input, options.gray16, reading);
}

/** From bytes, not a path: libvips remembers files by name and would not notice that one was replaced. */
function open(file: Buffer, { exif, maxPixels }: SharpOptions): Sharp {
  const input = sharp(file, { failOn: "error", ignoreIcc: true, limitInputPixels: maxPixels });
  return exif === "honor" ? input.autoOrient() : input;
}

async function colors(input: Sharp): Promise<RgbImage> {
  const { data, channels, width, height } = await raw(input.toColorspace("srgb").removeAlpha(), "uchar");
  return { data: channels === 3 ? data : replicate(data), width, height };
}

/** The file, said to hold colors that alpha was not multiplied into, so that libvips leaves them alone. */
function withPlainAlpha(file: Buffer, { extraPlace }: TiffLayout): Buffer {
  const changed = Buffer.from(file);
  changed[extraPlace!] = 2;
  return changed;
}

/** Colors divided by alpha and cut off, black where there is none. Reference: Pillow Unpack.c, unpackRGBa. */
async function multiplied(input: Sharp): Promise<RgbImage> {
  const { data, channels, width, height } = await raw(input.toColorspace("srgb"), "uchar");
  if (channels !== 4) throw unreadable(`${channels} channels where RGB and alpha are expected`);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const alpha = data[from + 3];
    for (let c = 0; c < 3; c++)
      rgb[to++] = alpha === 0 ? 0 : Math.min(255, Math.floor((data[from + c] * 255) / alpha));
  }
  return { data: rgb, width, height };
}

const asInks = (input: Sharp) => input.pipelineColorspace("cmyk").toColorspace("cmyk");

async function inks(input: Sharp): Promise<RgbImage> {
  const { data, channels, width, height } = await raw(asInks(input), "uchar");
  if (channels < 4) throw unreadable(`${channels} inks where four are expected`);
  return { data: inksToRgb(channels === 4 ? data : everyFour(data, channels)), width, height };
}

async function deepInks(input: Sharp): Promise<RgbImage> {
  const { data, channels, width, height } = await raw(asInks(input), "ushort");
  if (channels !== 4) throw unreadable(`${channels} inks where four are expected`);
  const high = Uint8Array.from({ length: data.length / 2 }, (_, i) => data.readUInt16LE(2 * i) >> 8);
  return { data: inksToRgb(high), width, height };
}

async function gray16(input: Sharp, to: Gray16, reading: TiffReading): Promise<RgbImage> {
  const { data, channels, width, height } = await raw(input.toColorspace("grey16"), "ushort");
  const values = new Uint16Array(width * height);
  const turned = reading === "inverted-gray16" ? 0xffff : 0;
  for (let i = 0; i < values.length; i++) values[i] = data.readUInt16LE(2 * channels * i) ^ turned;
  return { data: replicate(gray16ToBytes(values, to)), width, height };
}

async function signedBytes(input: Sharp): Promise<RgbImage> {
  const { data, width, height } = await raw(input.toColorspace("b-w"), "char");
  return { data: replicate(data), width, height };
}

async function raw(input: Sharp, depth: "uchar" | "char" | "ushort"): Promise<Raw> {
  const { data, info } = await input.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { channels, width, height } = info;
  return { data, channels, width, height };
}

function everyFour(samples: Uint8Array, channels: number): Uint8Array {
  const pixels = samples.length / channels;
  const four = new Uint8Array(4 * pixels);
  for (let i = 0; i < pixels; i++) four.set(samples.subarray(i * channels, i * channels + 4), 4 * i);
  return four;
}
