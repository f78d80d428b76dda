import { LuvitError } from "../core/errors";
import { allFinite } from "../core/finite";
import { groupBy } from "../core/groupBy";
import { Rng } from "../core/rng";
import { expectSample } from "../data/expectSample";
import { loadIfReadable } from "../data/unreadable";
import type { Context } from "../nn/context";
import { GraphsByShape, type ImageShape } from "./graphsByShape";
import { type ImageRange, piecesOf } from "./keptRanges";
import {
  type Body,
  type ForwardBatch,
  type ForwardBatchOptions,
  gridOf,
  type LookedAt,
  type MaskedOrPlain,
  openShape,
  type ReadableImages,
  runVariants,
} from "./lookGraphs";
import { brokenImage, expectCells } from "./squareSamples";

/** Batches whose images are read together, to be put into groups of one shape. */
const AHEAD = 4;

/** Images that are read, and put into groups, together; work that is stopped goes on at a multiple of it. */
export function windowLength(batchSize: number): number {
  return AHEAD * batchSize;
}

type Results = Record<string, Float32Array>;

/**
 * Whole images: windows of them are put into groups of one shape, full batches run together and what is left over one by
 * one. They come out in order, a batch each.
 */
export async function* wholeBatches(
  model: LookedAt,
  dataset: ReadableImages,
  body: Body,
  options: ForwardBatchOptions & { ranges: readonly ImageRange[] },
): AsyncGenerator<ForwardBatch> {
  const { batchSize, ranges, graphs: most = 4, positions } = options;
  const { patchSize } = model.encoder.config;
  const context: Context = { positions: positions ?? model.positions ?? "mae" };
  const graphs = new GraphsByShape((shape, size) => {
    const grid = gridOf(shape, patchSize);
    return openShape(model, body, { shape, grid, size, context }, options);
  }, most);
  try {
    for (const window of ranges.flatMap((range) => [...piecesOf(range, windowLength(batchSize))])) {
      const samples = await readWindow(dataset, window, patchSize);
      const results = new Map<MaskedOrPlain, Results[]>();
      for (const group of groupBy(samples, shapeName).values()) {
        for (const some of batchesOf(group, batchSize)) await runGroup(graphs, some, options, results);
      }
      yield* inOrder(samples, window, results, patchSize);
    }
  } finally {
    await graphs.dispose();
  }
}

const shapeOf = ({ height, width }: MaskedOrPlain): ImageShape => ({ height: height!, width: width! });
const shapeName = ({ height, width }: MaskedOrPlain) => `${height} x ${width}`;

/** Full batches, then single images. */
function batchesOf<T>(group: readonly T[], batchSize: number): T[][] {
  const full = group.length - (group.length % batchSize);
  const batches = [
    ...piecesOf({ start: 0, end: full }, batchSize),
    ...piecesOf({ start: full, end: group.length }, 1),
  ];
  return batches.map(({ start, end }) => group.slice(start, end));
}

/** Readable images of a window, checked. */
async function readWindow(
  dataset: ReadableImages,
  { start, end }: ImageRange,
  patch: number,
): Promise<MaskedOrPlain[]> {
  const rng = new Rng(0);
  const indices = Array.from({ length: end - start }, (_, i) => start + i);
  const loads = indices.map((index) => loadIfReadable<MaskedOrPlain>(dataset, index, rng.fork(index)));
  const read = (await Promise.all(loads)).filter((sample) => sample !== undefined);
  for (const sample of read) expectWhole(sample, dataset, patch);
  if (!read.every(({ image }) => allFinite(image))) throw brokenImage(read);
  return read;
}

/** @throws LuvitError("bad-dataset" | "bad-argument") */
function expectWhole(sample: MaskedOrPlain, dataset: ReadableImages, patch: number): void {
  expectSample(sample, dataset);
  const { path, height = 0, width = 0 } = sample;
  if (height < patch || width < patch || height % patch !== 0 || width % patch !== 0) {
    throw new LuvitError(
      "bad-argument",
      `${path}: ${width} x ${height} px, and the model's patches are of ${patch} px; open it with patch: ${patch}`,
    );
  }
  const { rows, columns } = gridOf({ height, width }, patch);
  expectCells(sample, rows * columns, patch);
}

async function runGroup(
  graphs: GraphsByShape,
  samples: readonly MaskedOrPlain[],
  options: ForwardBatchOptions,
  results: Map<MaskedOrPlain, Results[]>,
): Promise<void> {
  const [shape, size] = [shapeOf(samples[0]), samples.length];
  const { length } = samples[0].image;
  const images = new Float32Array(size * length);
  for (const [i, { image }] of samples.entries()) images.set(image, i * length);
  const forward = await graphs.graphFor(shape, size, size);
  const feeds = { images: { data: images, shape: [size, 3, shape.height, shape.width] } };
  const variants = await runVariants(forward, feeds, samples, size, options);
  for (const [i, sample] of samples.entries())
    results.set(
      sample,
      variants.map((made) => partOf(made, i, size)),
    );
}

/** The results of one of several images. */
function partOf(results: Results, image: number, size: number): Results {
  const part = (values: Float32Array) => {
    const width = values.length / size;
    return values.slice(image * width, (image + 1) * width);
  };
  return Object.fromEntries(Object.entries(results).map(([name, values]) => [name, part(values)]));
}

/** Images of a window one by one, unreadable ones with the next; one without samples where none can be read. */
function* inOrder(
  samples: readonly MaskedOrPlain[],
  { start, end }: ImageRange,
  results: ReadonlyMap<MaskedOrPlain, Results[]>,
  patch: number,
): Generator<ForwardBatch> {
  let from = start;
  for (const [i, sample] of samples.entries()) {
    const isLast = i === samples.length - 1;
    const to = isLast ? end : sample.index + 1;
    const [shape, variants] = [shapeOf(sample), results.get(sample)!];
    const of = { shape, grid: gridOf(shape, patch), results: variants[0], variants };
    yield { samples: [sample], size: 1, start: from, end: to, canStop: isLast, ...of };
    from = to;
  }
  if (samples.length > 0) return;
  const none = { height: 0, width: 0 };
  yield {
    samples: [],
    size: 1,
    start,
    end,
    canStop: true,
    shape: none,
    grid: gridOf(none, patch),
    results: {},
    variants: [],
  };
}
