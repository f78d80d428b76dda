import { LuvitError } from "../core/errors";
import { such } from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import { Rng } from "../core/rng";
import type { RgbImage } from "../data/pixels";
import { decodeImage } from "../data/reading";
import { evaluation, none } from "../data/transforms";

/** An image as people give one. */
export type GivenImage = string | Uint8Array | RgbImage | Float32Array;

export const imageArgument = such<GivenImage>(
  "an image: a path, encoded bytes, pixels, or the values of a data set",
  (value) =>
    typeof value === "string" ||
    value instanceof Uint8Array ||
    isPixels(value) ||
    value instanceof Float32Array,
);

function isPixels(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { data, width, height } = value as Partial<RgbImage>;
  return ArrayBuffer.isView(data) && (data as Uint8Array).length === 3 * (width ?? 0) * (height ?? 0);
}

/**
 * One image as a model takes it, float32 [3, S, S]: prepared as `preprocessing` says; the values of a data set are so already.
 *
 * @throws LuvitError("bad-argument") for values or a preprocessing of another size, "bad-image" or "missing-file" for what
 * cannot be read.
 */
export async function preparedValues(
  where: string,
  image: GivenImage,
  preprocessing: Preprocessing,
  side: number,
): Promise<Float32Array> {
  if (image instanceof Float32Array) {
    if (image.length === 3 * side * side) return image;
    const expected = `3 x ${side} x ${side} = ${3 * side * side}`;
    throw new LuvitError("bad-argument", `${where}: ${image.length} values, the model takes ${expected}`);
  }
  const { size, resize, cropRatio, mean, std } = preprocessing;
  if (size !== side) {
    const sizes = `its preprocessing makes images of ${size} px, it takes ${side} px`;
    throw new LuvitError("bad-argument", `${where}: the model contradicts itself: ${sizes}`);
  }
  const pixels = typeof image === "string" || image instanceof Uint8Array ? await decodeImage(image) : image;
  const transform = resize === "none" ? none(size) : evaluation(size, { cropRatio });
  const usual = transform.preprocessing!;
  const same = (a: readonly number[], b: readonly number[]) => a.every((value, i) => value === b[i]);
  if (same(mean, usual.mean) && same(std, usual.std)) return transform.apply(pixels, new Rng(0));
  return normalizedBy(transform.pixels(pixels), mean, std);
}

/** RGB bytes [H, W, 3] -> [3, H, W], (byte / 255 - mean) / deviation of each channel. */
function normalizedBy({ data }: RgbImage, mean: readonly number[], std: readonly number[]): Float32Array {
  const count = data.length / 3;
  return Float32Array.from({ length: data.length }, (_, i) => {
    const channel = Math.floor(i / count);
    return (data[3 * (i % count) + channel] / 255 - mean[channel]) / std[channel];
  });
}
