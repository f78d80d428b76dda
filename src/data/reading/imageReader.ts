import { withPath } from "../../core/errors";
import { breathe } from "../../core/loop";
import type { Rng } from "../../core/rng";
import { BuiltInTransform, type ImageTransform } from "../imageTransform";
import { applyStepsInto, type Planes } from "../pixels";
import type { PixelCache } from "./pixelCache";

/** One image to read, and what becomes of it. */
export interface ImageJob {
  readonly path: string;
  /** Where the image is no file of its own: gives its encoded bytes, or the path of a file. */
  readonly stored?: () => Promise<Uint8Array | string>;
  readonly cache: PixelCache;
  readonly transform: ImageTransform;
  /** A stream that nothing was drawn from yet. */
  readonly rng: Rng;
  /** Where the result belongs; default newly made memory. An array of bytes gets those before normalization. */
  readonly into?: Planes;
  /** Aborted when nobody wants the image any more. */
  readonly signal?: AbortSignal;
}

/** Where images are decoded and transformed. */
export interface ImageReader {
  /**
   * Normalized float32 [3, size, size], or what the job has it put elsewhere.
   *
   * @throws LuvitError("bad-image") for files that cannot be decoded.
   */
  read(job: ImageJob): Promise<Float32Array>;
  /** Room for results that it writes to without a copy, if it has any left; to be given back. */
  take?(length: number): Float32Array | undefined;
  /** Nobody reads, and it writes, what `take` gave any longer. */
  giveBack?(numbers: Float32Array): void;
}

let lastTurn = Promise.resolve();

/** One image a turn of the event loop: turns asked for together would come together. */
function myTurn(): Promise<void> {
  lastTurn = lastTurn.then(breathe);
  return lastTurn;
}

/** Decodes in sharp's threads and transforms in this one, which has a pause after every image. */
export const hereReader: ImageReader = {
  async read({ path, stored, cache, transform, rng, into, signal }) {
    signal?.throwIfAborted();
    const pixels = await cache.get(path, stored);
    await myTurn();
    signal?.throwIfAborted();
    if (into instanceof Uint8Array) {
      const { steps } = BuiltInTransform.from(transform)!;
      withPath(path, () => applyStepsInto(into, steps, pixels, rng));
      return into as never;
    }
    const planes = withPath(path, () => transform.apply(pixels, rng));
    into?.set(planes);
    return into ?? planes;
  },
};

/** The same reader, which puts what it reads in a given place and stops reading when the signal says so. */
export function readingInto(reader: ImageReader, into: Planes, signal: AbortSignal): ImageReader {
  return { read: (job) => reader.read({ ...job, into, signal }) };
}
