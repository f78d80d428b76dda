import type { Rng } from "../core/rng";
import type { ImageDataset, Sample } from "./dataset";
import { expectSample } from "./expectSample";
import type { Planes } from "./pixels";
import { type ImageReader, readingInto } from "./reading";

/** Which samples of a set are read, and where their images belong. */
export interface SampleReads {
  readonly dataset: Pick<ImageDataset, "load" | "size"> & Partial<Pick<ImageDataset, "classes">>;
  readonly indices: ArrayLike<number>;
  /** [at least indices, 3, size, size]: float32, or bytes where the set has them (`hasBytes`). */
  readonly images: Planes;
  /** Numbers of one image. */
  readonly length: number;
  /** The stream of the sample at a place. */
  readonly stream: (place: number) => Rng;
  readonly reader: ImageReader;
  /** Aborted when nobody wants the samples any more. */
  readonly signal: AbortSignal;
}

/** Reads samples side by side. Each image is put in its place by the reader, or copied there if a set made it itself. */
export function readSamples(reads: SampleReads): Promise<Sample>[] {
  const { dataset, indices, images, length, stream, reader, signal } = reads;
  return Array.from(indices, async (index, i) => {
    const place = images.subarray(i * length, (i + 1) * length);
    const loaded = await dataset.load(index, stream(i), readingInto(reader, place, signal));
    expectSample(loaded, dataset, place);
    if (loaded.image.buffer !== place.buffer) place.set(loaded.image);
    return { ...loaded, image: place as Float32Array };
  });
}
