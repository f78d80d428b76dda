import { LuvitError, listOffenders } from "../core/errors";
import type { Rng } from "../core/rng";
import { expectIndex, type ImageDataset, type Sample, type SkipReport } from "./dataset";
import type { ImageReader } from "./reading";

/*
 * What becomes of images that cannot be read: in training, others of the same class come in their place, named and
 * counted; what is judged by its numbers leaves them out.
 */

/** Nothing of the class that an image belongs to can be read. */
export class UnreadableClass extends LuvitError {}

/** Images that are tried one after the other in place of one that cannot be read. */
const mostTries = 200;

/** What has to be known of a set to replace its images. */
export type ReplaceableImages = Pick<ImageDataset, "classes" | "length" | "report" | "path" | "label">;

/**
 * Reads position `index`, or the next readable one of the same class (cyclically), noting what had to be skipped.
 *
 * @throws UnreadableClass ("bad-dataset") when there is none, or none among 200. Errors that are not about an image file
 * are passed on.
 */
export async function readOrReplace<T>(
  set: ReplaceableImages,
  index: number,
  read: (index: number) => Promise<T>,
): Promise<T> {
  const { report } = set;
  const reasons: string[] = [];
  let tries = 0;
  for (const candidate of sameClass(set, index)) {
    const path = set.path(candidate);
    if (candidate !== index) await report.ongoing.get(path);
    if (!report.has(path)) {
      if (tries++ === mostTries) throw nothingReadable(set, index, reasons, true);
      const found = await noted(report, path, () => read(candidate));
      if (found && candidate !== index) report.replaced++;
      if (found) return found.result;
    }
    reasons.push(report.reason(path)!);
  }
  throw nothingReadable(set, index, reasons, false);
}

/** What was read, or undefined for an unreadable image, which is noted then. */
async function noted<T>(
  report: SkipReport,
  path: string,
  read: () => Promise<T>,
): Promise<{ result: T } | undefined> {
  const attempt = read().then(
    (result) => ({ result }),
    (error: unknown) => {
      if (!(error instanceof LuvitError && error.code === "bad-image")) throw error;
      report.add(path, error.message);
      return undefined;
    },
  );
  const end = attempt.catch(() => undefined);
  report.ongoing.set(path, end);
  try {
    return await attempt;
  } finally {
    if (report.ongoing.get(path) === end) report.ongoing.delete(path);
  }
}

/** `index` and, from there on cyclically, the other positions of its class. */
function* sameClass(set: ReplaceableImages, index: number): Generator<number, void> {
  expectIndex(index, set.length);
  yield index;
  for (let offset = 1; offset < set.length; offset++) {
    const candidate = (index + offset) % set.length;
    if (set.label(candidate) === set.label(index)) yield candidate;
  }
}

function nothingReadable(
  set: ReplaceableImages,
  index: number,
  reasons: readonly string[],
  hasMore: boolean,
): UnreadableClass {
  const label = set.label(index);
  const name = set.classes[label] ?? String(label);
  const found = hasMore
    ? `${reasons.length} images, one after the other, cannot be read`
    : `none of the ${reasons.length} images can be read`;
  return new UnreadableClass("bad-dataset", `class ${name}: ${found}:\n${listOffenders(reasons)}`);
}

/** Reads an image; undefined where it cannot be read, which the set's report tells. */
export async function loadIfReadable<S extends Sample>(
  set: { load(index: number, rng: Rng, reader?: ImageReader): Promise<S> },
  index: number,
  rng: Rng,
  reader?: ImageReader,
): Promise<S | undefined> {
  try {
    const sample = await set.load(index, rng, reader);
    return sample.index === index ? sample : undefined;
  } catch (error) {
    if (error instanceof UnreadableClass) return undefined;
    throw error;
  }
}

/** The same set, in which black images of index -1 stand for those that cannot be read. */
export function leavingOut(dataset: ImageDataset): ImageDataset {
  const { classes, length, size, report, mapping, hasBytes } = dataset;
  return {
    ...{ classes, length, size, report, mapping, hasBytes },
    path: (index) => dataset.path(index),
    label: (index) => dataset.label(index),
    async load(index, rng, reader) {
      const sample = await loadIfReadable(dataset, index, rng, reader);
      if (sample) return sample;
      const image = new Float32Array(3 * size ** 2);
      return { image, label: dataset.label(index), path: dataset.path(index), index: -1 };
    },
    take: (count) => leavingOut(dataset.take(count)),
    subset: (indices) => leavingOut(dataset.subset(indices)),
    withTransform: (transform) => leavingOut(dataset.withTransform(transform)),
  };
}
