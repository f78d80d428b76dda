import sharp from "sharp";
import { type RgbImage, resize } from "../pixels";
import { decodeImage } from "../reading";

const shares = [0.6, 0.5, 0.4, 0.3, 0.25];
const qualities = [25, 18, 15, 10, 7];

export function pixelate(image: RgbImage, severity: number): RgbImage {
  const share = shares[severity - 1];
  const { width, height } = image;
  const small = resize(image, Math.trunc(width * share), Math.trunc(height * share), { filter: "box" });
  return resize(small, width, height, { filter: "box" });
}

export async function jpegCompression(image: RgbImage, severity: number): Promise<RgbImage> {
  return decodeImage(await encodeJpeg(image, qualities[severity - 1]));
}

/** A baseline JPEG with halved color resolution and the standard tables, as Pillow writes it. */
export function encodeJpeg({ data, width, height }: RgbImage, quality: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: "4:2:0", mozjpeg: false })
    .toBuffer();
}
