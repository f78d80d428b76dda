import { inspect } from "node:util";
import { checkOptions, instance, optionsOf, partsWith, signal, text } from "../../core/options";
import { Rng } from "../../core/rng";
import { type StopRequest, withStopRequest } from "../../core/stopRequest";
import { type CocoKind, type CocoResult, DetectionDataset, type DetectionSample } from "../../data/coco";
import { shardRange } from "../../data/dataset";
import { type Shard, shardOptions } from "../../data/options";
import { loadIfReadable } from "../../data/unreadable";
import type { EngineOptions } from "../../engine";
import type { Detector } from "../../models/detector/detector";
import { detectorField } from "../../models/detector/options";
import { expectClasses, expectImageSize } from "../../train/checkSizes";
import { ObjectFinder } from "../../train/detection/finder";
import { describeMissing } from "../gatherRows";
import { gapsIn, joined, piecesOf } from "../keptRanges";
import { aboutModel, count, engine } from "../options";
import type { Provenance } from "../provenance";
import { evaluate } from "./evaluate";
import { type FoundRange, ResultsFolder } from "./resultsFolder";
import type { DetectionScores } from "./scores";

/** How a detector is evaluated, and where what it finds is kept. */
export interface DetectorEvaluationOptions extends EngineOptions, Omit<Provenance, "data"> {
  /** Folder that keeps what was found; with it an evaluation that was stopped goes on where it was. Default none. */
  out?: string;
  /** A share of the images, so that several machines can work at once; default all. */
  shard?: Shard;
  /** Images per file of results, which is what a killed evaluation has to do again; default 64. */
  keepEvery?: number;
  /** Ends it after the current image; what was found is kept. SIGINT does the same. */
  signal?: AbortSignal;
}

export const detectorEvaluationOptions = optionsOf<DetectorEvaluationOptions>(
  {},
  { ...engine, ...aboutModel, out: text, shard: shardOptions, keepEvery: count, signal },
);

/** What a detector found in a set, and COCO's scores of it where all images were looked at. */
export class DetectorEvaluation {
  readonly results: readonly CocoResult[];
  /** Images that are still to be looked at. */
  readonly missing: readonly string[];
  /** Images that could not be read, and why; nothing was found in them. */
  readonly unreadable: readonly string[];
  readonly boxes: DetectionScores | undefined;
  readonly masks: DetectionScores | undefined;

  constructor(parts: {
    results: readonly CocoResult[];
    missing?: readonly string[];
    unreadable?: readonly string[];
    boxes?: DetectionScores;
    masks?: DetectionScores;
  }) {
    checkOptions("DetectorEvaluation", partsWith("results"), parts);
    this.results = parts.results;
    this.missing = parts.missing ?? [];
    this.unreadable = parts.unreadable ?? [];
    this.boxes = parts.boxes;
    this.masks = parts.masks;
  }

  /** Whether every image was looked at. */
  get complete(): boolean {
    return this.boxes !== undefined;
  }

  toString(): string {
    if (!this.boxes) return `${this.results.length} objects found; missing: ${this.missing.join("; ")}`;
    const tables = [this.boxes, ...(this.masks ? [this.masks] : [])].join("\n\n");
    return [tables, ...this.unreadable].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

const datasetField = instance(DetectionDataset, "a data set with objects, from data.coco");

/**
 * Looks for objects in every image of a set and compares them with the annotations as COCO does: boxes, and masks where the
 * detector draws them. With `out`, what was found is kept image by image, and results.bbox.json and results.segm.json
 * in COCO's format are written when all is done.
 *
 * @throws LuvitError("bad-argument") for a set that does not fit the model, or a folder that is about another one.
 * @example
 * const transform = luvit.data.transforms.fitSquare(96);
 * const scenes = await luvit.data.coco({ root: "data/shapes/coco", part: "val", transform });
 * const model = luvit.detector.create({ ...luvit.detector.toy, classes: scenes.classes.length });
 * console.log(await luvit.coco.evaluateDetector(model, scenes.take(2)));
 */
export async function evaluateDetector(
  model: Detector,
  dataset: DetectionDataset,
  options: DetectorEvaluationOptions = {},
): Promise<DetectorEvaluation> {
  checkOptions("coco.evaluateDetector", detectorField, model);
  checkOptions("coco.evaluateDetector", datasetField, dataset);
  checkOptions("coco.evaluateDetector", detectorEvaluationOptions, options);
  expectImageSize(dataset, model.settings.encoder.imageSize, "coco.evaluateDetector");
  expectClasses(dataset, model.classes, "coco.evaluateDetector");
  const { out } = options;
  const folder = out === undefined ? undefined : await ResultsFolder.open(out, model, dataset.length);
  const found = (await folder?.read()) ?? [];
  await withStopRequest(options.signal, (request) => lookAt(model, dataset, options, found, folder, request));
  found.sort((a, b) => a.start - b.start);
  const results = found.flatMap((range) => range.results);
  const missing = joined(gapsIn({ start: 0, end: dataset.length }, found)).map(describeMissing);
  if (missing.length > 0) return new DetectorEvaluation({ results, missing });
  const { masks } = model.settings;
  await folder?.writeResults(results, masks ? ["bbox", "segm"] : ["bbox"]);
  // A part of a set is not held against the objects of the rest.
  const truth = dataset.truth.only(dataset.images.map(({ id }) => id));
  const about = { model: options.model ?? model.toString(), recipe: options.recipe, seed: options.seed };
  const scores = (kind: CocoKind) => evaluate(truth, results, { kind, ...about });
  const unreadable = dataset.report.skipped.map(({ reason }) => reason);
  return new DetectorEvaluation({
    results,
    unreadable,
    boxes: await scores("bbox"),
    masks: masks ? await scores("segm") : undefined,
  });
}

/** Looks at the images that nothing is kept of, piece by piece, until it is stopped. */
async function lookAt(
  model: Detector,
  dataset: DetectionDataset,
  options: DetectorEvaluationOptions,
  found: FoundRange[],
  folder: ResultsFolder | undefined,
  request: StopRequest,
): Promise<void> {
  const {
    shard = { index: 1, count: 1 },
    keepEvery = 64,
    out: _,
    model: __,
    recipe,
    seed,
    signal,
    ...engine
  } = options;
  const gaps = gapsIn(shardRange(dataset.length, shard), found);
  if (gaps.length === 0) return;
  const finder = await ObjectFinder.open(model, engine);
  try {
    for (const piece of gaps.flatMap((gap) => [...piecesOf(gap, keepEvery)])) {
      const results: CocoResult[] = [];
      let at = piece.start;
      for (; at < piece.end && !request.stopped; at++)
        results.push(...(await resultsOf(finder, dataset, at)));
      if (at === piece.start) return;
      const range = { start: piece.start, end: at, results };
      await folder?.keep(range);
      found.push(range);
    }
  } finally {
    await finder.dispose();
  }
}

/** What is found in an image, as COCO has it; nothing in one that cannot be read. */
async function resultsOf(
  finder: ObjectFinder,
  dataset: DetectionDataset,
  index: number,
): Promise<CocoResult[]> {
  const sample = (await loadIfReadable(dataset, index, new Rng(0))) as DetectionSample | undefined;
  if (!sample) return [];
  const { height, width } = dataset.truth.image(sample.imageId);
  const image = { values: sample.image, covered: sample.geometry.covered, original: { height, width } };
  const { boxes, scores, labels, masks } = await finder.find(image);
  return Array.from(scores, (score, i) => {
    const [x0, y0, x1, y1] = boxes.subarray(4 * i, 4 * i + 4);
    const categoryId = dataset.truth.categories[labels[i]].id;
    const result = { imageId: sample.imageId, categoryId, score, box: [x0, y0, x1 - x0, y1 - y0] as const };
    return masks ? { ...result, mask: masks[i] } : result;
  });
}
