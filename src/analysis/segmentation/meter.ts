import { LuvitError } from "../../core/errors";
import { addPixel, emptyPixelCounts, type PixelCounts } from "../../models/pixelCounts";
import { IGNORED_ID as IGNORE } from "../../models/segmentTargets";
import { boundaryBands } from "./boundary";

const EPSILON = 1e-10;

/** Sizes of objects by their share of an image's pixels: up to 5, 25 and 50 percent, and more. */
export const objectSizes = ["S", "MS", "ML", "L"] as const;
export type ObjectSize = (typeof objectSizes)[number];
const greatestShares = [5, 25, 50];

/** What is kept of the images so far; plain numbers, which add up over parts of a set. */
export interface SegmentationCounts {
  readonly whole: PixelCounts;
  readonly bands: PixelCounts;
  readonly sizes: Readonly<Record<ObjectSize, PixelCounts>>;
  readonly sizeBands: Readonly<Record<ObjectSize, PixelCounts>>;
  /** Sum of the images' F-measures, images whose main object is right, images. */
  readonly images: { f: number; right: number; count: number };
}

export function emptyCounts(classes: number): SegmentationCounts {
  const pixels = () => emptyPixelCounts(classes);
  const bySize = () =>
    Object.fromEntries(objectSizes.map((size) => [size, pixels()])) as Record<ObjectSize, PixelCounts>;
  return {
    whole: pixels(),
    bands: pixels(),
    sizes: bySize(),
    sizeBands: bySize(),
    images: { f: 0, right: 0, count: 0 },
  };
}

/**
 * Counts one image: ids of prediction and target, [height, width]; 0 is no object, 1000 is not counted.
 *
 * Reference: LUSSeg/ImageNetSegModel util/metric.py; LUSSeg/ImageNet-S evaluation/evaluator.py, metric.py.
 *
 * @throws LuvitError("bad-argument") for ids that are no class, LuvitError("shape-mismatch") for maps of different sizes.
 */
export function countImage(
  counts: SegmentationCounts,
  prediction: Int32Array,
  target: Int32Array,
  height: number,
  width: number,
): void {
  const classes = counts.whole.both.length;
  expectIds(prediction, target, height * width, classes);
  const bands = [boundaryBands(prediction, height, width), boundaryBands(target, height, width)] as const;
  const objectPixels = new Float64Array(classes);
  let valid = 0;
  for (const id of target) {
    if (id === IGNORE) continue;
    objectPixels[id]++;
    valid++;
  }
  const sizeOf = Array.from(objectPixels, (pixels, id) =>
    id > 0 && pixels > 0 ? sizeAt(pixels / valid) : undefined,
  );
  const present = objectSizes.filter((size) => sizeOf.includes(size));
  for (let i = 0; i < target.length; i++) {
    const id = target[i];
    if (id === IGNORE) continue;
    const sizes = id === 0 ? present : [sizeOf[id]!];
    addPixel(counts.whole, prediction[i], id);
    addPixel(counts.bands, bands[0][i] - 1, bands[1][i] - 1);
    for (const size of sizes) {
      addPixel(counts.sizes[size], prediction[i], id);
      addPixel(counts.sizeBands[size], bands[0][i] - 1, bands[1][i] - 1);
    }
  }
  countObjects(counts, prediction, target);
}

function sizeAt(share: number): ObjectSize {
  const percent = Math.ceil(100 * share);
  return objectSizes[greatestShares.filter((greatest) => percent > greatest).length];
}

/** Object against no object, and whether the most frequent object is one that is there. */
function countObjects(
  { images, whole }: SegmentationCounts,
  prediction: Int32Array,
  target: Int32Array,
): void {
  const found = new Float64Array(whole.both.length);
  let [both, predicted, there] = [0, 0, 0];
  for (let i = 0; i < target.length; i++) {
    if (target[i] === IGNORE) continue;
    if (target[i] > 0) there++;
    if (prediction[i] === 0) continue;
    predicted++;
    found[prediction[i]]++;
    if (target[i] > 0) both++;
  }
  const [precision, recall] = [both / (predicted + EPSILON), both / (there + EPSILON)];
  images.f += (1.3 * precision * recall) / (0.3 * precision + recall + EPSILON);
  images.count++;
  const main = found.reduce((best, count, id) => (count > found[best] ? id : best), 0);
  if (main > 0 && target.includes(main)) images.right++;
}

function expectIds(prediction: Int32Array, target: Int32Array, pixels: number, classes: number): void {
  if (prediction.length !== pixels || target.length !== pixels) {
    const found = `${prediction.length} and ${target.length} ids for ${pixels} pixels`;
    throw new LuvitError("shape-mismatch", `segmentation scores: ${found}`);
  }
  const isClass = (id: number) => id >= 0 && id < classes;
  const wrong = prediction.find((id) => !isClass(id)) ?? target.find((id) => !isClass(id) && id !== IGNORE);
  if (wrong === undefined) return;
  const which = prediction.some((id) => !isClass(id)) ? "prediction" : "target";
  throw new LuvitError(
    "bad-argument",
    `segmentation scores: id ${wrong} in the ${which}, expected 0 … ${classes - 1}`,
  );
}

/** Adds the counts of other images. */
export function addCounts(counts: SegmentationCounts, others: SegmentationCounts): void {
  const add = (a: PixelCounts, b: PixelCounts) => {
    for (const key of ["both", "target", "prediction"] as const)
      for (const [i, value] of b[key].entries()) a[key][i] += value;
  };
  add(counts.whole, others.whole);
  add(counts.bands, others.bands);
  for (const size of objectSizes) {
    add(counts.sizes[size], others.sizes[size]);
    add(counts.sizeBands[size], others.sizeBands[size]);
  }
  counts.images.f += others.images.f;
  counts.images.right += others.images.right;
  counts.images.count += others.images.count;
}
