import { imageNetMean, imageNetStd } from "../data";
import { type ImageFigure, imageGrid } from "../figures";
import type { RgbImage } from "../figures/image";

/** Where the images lie in a tensor. */
interface Layout {
  count: number;
  height: number;
  width: number;
  /** Position of a value. */
  at(image: number, channel: number, pixel: number): number;
}

/** What the numbers of an image mean. */
interface Scale {
  words: string;
  byte(value: number, channel: number): number;
}

const mostImages = 8;

/** The images in a tensor [3, H, W], [B, 3, H, W], [H, W, 3] or [B, H, W, 3]; undefined for other shapes. */
export async function tensorImages(
  shape: readonly number[],
  values: ArrayLike<number>,
  range: { min: number; max: number },
): Promise<ImageFigure | undefined> {
  const layout = layoutOf(shape);
  if (!layout) return undefined;
  const scale = scaleOf(range);
  const shown = Math.min(mostImages, layout.count);
  const images = Array.from({ length: shown }, (_, index) => imageAt(layout, values, index, scale));
  const rest = layout.count > shown ? `first ${shown} of ${layout.count}, ` : "";
  const rows = images.length > 4 ? [images.slice(0, 4), images.slice(4)] : [images];
  return imageGrid(rows, { cell: images.length > 1 ? 112 : 160, alt: `${rest}${scale.words}` });
}

function layoutOf(shape: readonly number[]): Layout | undefined {
  const [count, ...image] = shape.length === 4 ? shape : [1, ...shape];
  if (image.length !== 3 || count! < 1) return undefined;
  const [a, b, c] = image as [number, number, number];
  if (a === 3 && b >= 8 && c >= 8) {
    const at = (index: number, channel: number, pixel: number) => (index * 3 + channel) * b * c + pixel;
    return { count: count!, height: b, width: c, at };
  }
  if (c === 3 && a >= 8 && b >= 8) {
    const at = (index: number, channel: number, pixel: number) => (index * a * b + pixel) * 3 + channel;
    return { count: count!, height: a, width: b, at };
  }
  return undefined;
}

function scaleOf({ min, max }: { min: number; max: number }): Scale {
  if (min >= 0 && max <= 1) return { words: "as 0 to 1", byte: (value) => 255 * value };
  if (min >= 0 && max > 2 && max <= 255) return { words: "as 0 to 255", byte: (value) => value };
  if (min >= -2.2 && max <= 2.7) {
    const byte = (value: number, channel: number) =>
      255 * (value * imageNetStd[channel]! + imageNetMean[channel]!);
    return { words: "ImageNet's mean and deviation put back", byte };
  }
  return {
    words: "stretched from least to greatest",
    byte: (value) => (255 * (value - min)) / (max - min || 1),
  };
}

function imageAt(layout: Layout, values: ArrayLike<number>, index: number, scale: Scale): RgbImage {
  const { width, height, at } = layout;
  const data = new Uint8ClampedArray(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      data[3 * pixel + channel] = scale.byte(values[at(index, channel, pixel)]!, channel);
  }
  return { width, height, data };
}
