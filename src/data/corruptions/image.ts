import type { RgbImage } from "../decode";

/** A picture or one layer of it in double precision, rows first: `data` [H, W, channels]. */
export interface Layer {
  readonly data: Float64Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** RGB bytes as 0 … 1. */
export function toUnit(image: RgbImage): Layer {
  const { data, width, height } = image;
  return { data: Float64Array.from(data, (byte) => byte / 255), width, height, channels: 3 };
}

/** The same values rounded to single precision, where the original computes in it. */
export function toSingle(layer: Layer): Layer {
  return { ...layer, data: Float64Array.from(layer.data, Math.fround) };
}

/** 0 … 1 as 0 … 255, clipped, before it is cut to bytes. */
export function toByteRange(layer: Layer): Layer {
  return mapLayer(layer, (value) => 255 * clipUnit(value));
}

/** RGB bytes of values 0 … 255: fractions are cut off, as `numpy.uint8` does. */
export function truncate({ data, width, height }: Layer): RgbImage {
  return { data: Uint8Array.from(data, Math.trunc), width, height };
}

export function clipUnit(value: number): number {
  return Math.min(1, Math.max(0, value));
}

export function mapLayer(layer: Layer, value: (value: number, index: number) => number): Layer {
  return { ...layer, data: layer.data.map(value) };
}

/** A layer of one channel. */
export function plane(width: number, height: number, value: (index: number) => number): Layer {
  return {
    data: Float64Array.from({ length: width * height }, (_, i) => value(i)),
    width,
    height,
    channels: 1,
  };
}
