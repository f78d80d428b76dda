import type { InputSpec } from "../graph/trace";

/** One operand of a training step, drawn or read on the host. */
export interface HostFeed {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: "float32" | "int32";
}

/** Everything a step is fed for one batch, by name; always the same names and shapes in a run. */
export type Feeds = Readonly<Record<string, HostFeed>>;

/** Images [B, 3, S, S] as an operand of a step. */
export function imageFeed(images: Float32Array, size: number): HostFeed {
  return { data: images, shape: [images.length / (3 * size * size), 3, size, size] };
}

/** Shapes of feeds, as a tracer wants them. */
export function specsOf(feeds: Feeds): Record<string, InputSpec> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, dtype }]) => [name, { shape, dtype }]),
  );
}

/** The numbers of feeds, as an executor wants them. */
export function arraysOf(feeds: Feeds): Record<string, HostFeed["data"]> {
  return Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));
}
