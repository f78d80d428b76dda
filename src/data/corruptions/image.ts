import type { RgbImage } from "../pixels";

/** An image or one layer of it in double precision, rows first: `data` [H, W, channels]. */
export interface Layer {
  readonly data: Float64Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

const unitOf = Float64Array.from({ length: 256 }, (_, byte) => byte / 255);

/** RGB bytes as 0 … 1. */
export function toUnit({ data, width, height }: RgbImage): Layer {
  const unit = new Float64Array(data.length);
  for (let i = 0; i < unit.length; i++) unit[i] = unitOf[data[i]];
  return { data: unit, width, height, channels: 3 };
}

/** RGB bytes as 0 … 255. */
export function toLayer({ data, width, height }: RgbImage): Layer {
  return { data: new Float64Array(data), width, height, channels: 3 };
}

/** The same values rounded to single precision, where the original computes in it. */
export function toSingle(layer: Layer): Layer {
  return { ...layer, data: new Float64Array(new Float32Array(layer.data)) };
}

/** 0 … 1 as 0 … 255, clipped, before it is cut to bytes. */
export function toByteRange(layer: Layer): Layer {
  const { data } = layer;
  const scaled = new Float64Array(data.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = 255 * clipUnit(data[i]);
  return { ...layer, data: scaled };
}

/** RGB bytes of values 0 … 255: fractions are cut off, as `numpy.uint8` does. */
export function truncate({ data, width, height }: Layer): RgbImage {
  return { data: new Uint8Array(data), width, height };
}

export function clipUnit(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Every value by a function of it and its position. */
export function mapLayer(layer: Layer, value: (value: number, index: number) => number): Layer {
  const { data } = layer;
  const mapped = new Float64Array(data.length);
  for (let i = 0; i < mapped.length; i++) mapped[i] = value(data[i], i);
  return { ...layer, data: mapped };
}

/** A layer of one channel. */
export function plane(width: number, height: number, value: (index: number) => number): Layer {
  const data = new Float64Array(width * height);
  for (let i = 0; i < data.length; i++) data[i] = value(i);
  return { data, width, height, channels: 1 };
}
