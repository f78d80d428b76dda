import { LuvitError, listOffenders } from "../core/errors";
import { allFinite } from "../core/finite";
import { printable } from "../core/printable";
import { Rng } from "../core/rng";
import type { ImageDataset, Sample } from "../data/dataset";
import { defaultWorkers, readerWith } from "../data/reading";
import { readSamples } from "../data/readSamples";
import { loadIfReadable } from "../data/unreadable";
import { patchCount, type ViTConfig } from "../models/vit";
import { type ImageRange, piecesOf } from "./keptRanges";
import type { ForwardBatch, MaskedOrPlain, ReadableImages } from "./lookGraphs";

interface SampleBatch extends Pick<ForwardBatch, "samples" | "start" | "end"> {
  /** [size, 3, S, S]: the samples' images, then black ones. */
  readonly images: Float32Array;
}

/** The images of a set of squares, read in threads, in order. */
export async function* squareSamples(
  dataset: ReadableImages,
  config: ViTConfig,
  size: number,
  ranges: readonly ImageRange[],
): AsyncGenerator<SampleBatch> {
  const rng = new Rng(0);
  const length = 3 * config.imageSize ** 2;
  const readable: Pick<ImageDataset, "load" | "size"> = {
    size: dataset.size,
    load: async (index, stream, into) =>
      (await loadIfReadable(dataset, index, stream, into)) ?? standIn(length),
  };
  const reader = readerWith(defaultWorkers(dataset.size));
  const stop = new AbortController();
  try {
    for (const { start, end } of ranges.flatMap((range) => [...piecesOf(range, size)])) {
      const images = new Float32Array(size * length);
      const indices = Array.from({ length: end - start }, (_, i) => start + i);
      const stream = (place: number) => rng.fork(start + place);
      const loads = readSamples({
        dataset: readable,
        indices,
        images,
        length,
        stream,
        reader,
        signal: stop.signal,
      });
      const samples = withoutStandIns(await Promise.all(loads), indices, images);
      for (const sample of samples) expectCells(sample, patchCount(config), config.patchSize);
      if (!allFinite(images)) throw brokenImage(samples);
      yield { images, samples, start, end };
    }
  } finally {
    stop.abort();
  }
}

/** An error that names those of some images that hold NaN or infinities. */
export function brokenImage(samples: readonly Sample[]): LuvitError {
  const broken = samples.filter(({ image }) => !allFinite(image)).map(({ path }) => printable(path));
  return new LuvitError(
    "non-finite",
    `analysis: these images hold NaN or infinities\n${listOffenders(broken)}`,
  );
}

/** In place of an image of which nothing, not even another of its class, can be read. */
const standIn = (length: number): Sample => ({
  image: new Float32Array(length),
  label: -1,
  path: "",
  index: -1,
});

/** Another index stands in for an unreadable image; no image is to count twice. Images follow one another again. */
function withoutStandIns(read: Sample[], indices: readonly number[], images: Float32Array): Sample[] {
  const samples = read.filter(({ index }, i) => index === indices[i]);
  if (samples.length === read.length) return samples;
  const { length } = read[0].image;
  const moved = samples.map((sample, i) => {
    const place = images.subarray(i * length, (i + 1) * length);
    place.set(sample.image);
    return { ...sample, image: place };
  });
  images.fill(0, samples.length * length);
  return moved;
}

/** @throws LuvitError("bad-argument") when masks were cut into other cells than the model's patches. */
export function expectCells({ path, foreground }: MaskedOrPlain, patches: number, patch: number): void {
  if (!foreground || foreground.length === patches) return;
  const counts = `${foreground.length} cells, the model sees ${patches} patches`;
  throw new LuvitError("bad-argument", `${path}: its mask has ${counts}; open the set with patch: ${patch}`);
}
