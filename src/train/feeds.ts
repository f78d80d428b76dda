import { imageNetMean, imageNetStd } from "../core/preprocessing";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import type { Batch, BatchOptions } from "../data/loader";
import type { InputSpec } from "../graph/trace";

/** One operand of a training step, drawn or read on the host. */
export interface HostFeed {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: "float32" | "int32";
}

/** What images are fed as: normalized float32, or the bytes before, which the graph normalizes. */
export type Pixels = NonNullable<BatchOptions["pixels"]>;

/** How batches of a set reach a step that begins with `normalizedImages`: as bytes where the set has them. */
export const pixelsOf = ({ hasBytes }: ImageDataset): Pixels => (hasBytes ? "bytes" : "normalized");

/** Everything a step is fed for one batch, by name; always the same names and shapes in a run. */
export type Feeds = Readonly<Record<string, HostFeed>>;

/** Images [B, 3, S, S] as an operand of a step. */
export function imageFeed(images: Float32Array, size: number): HostFeed {
  return { data: images, shape: [images.length / (3 * size * size), 3, size, size] };
}

/** The same of a batch, whose images may be bytes, filled up with gray or black ones to `count` of them. */
export function pixelFeed({ images, bytes }: Batch, size: number, count?: number): HostFeed {
  const length = 3 * size * size;
  const given = bytes ?? images;
  const shape = [count ?? given.length / length, 3, size, size];
  if (given.length === shape[0] * length) return { data: given, shape };
  const data = bytes ? new Uint8Array(shape[0] * length) : new Float32Array(shape[0] * length);
  data.set(given);
  return { data, shape };
}

/** Images [B, 3, S, S] of a step, which were fed as `pixelFeed` gives them for batches of these pixels. */
export function normalizedImages(fed: Tensor, pixels: Pixels): Tensor {
  if (pixels === "normalized") return fed;
  const [mean, std] = [imageNetMean, imageNetStd].map((row) => tf.tensor([...row], [1, 3, 1, 1]));
  return tf.div(tf.sub(tf.div(fed, 255), mean), std);
}

/** Shapes of feeds, as a tracer wants them. */
export function specsOf(feeds: Feeds): Record<string, InputSpec> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, dtype }]) => [
      name,
      { shape, dtype, isBytes: data instanceof Uint8Array },
    ]),
  );
}

/** The numbers of feeds, as an executor wants them. */
export function arraysOf(feeds: Feeds): Record<string, HostFeed["data"]> {
  return Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));
}
