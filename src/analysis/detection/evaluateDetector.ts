import { inspect } from "node:util";
import { checkOptions, optionsOf, partsWith, signal, text } from "../../core/options";
import { type StopRequest, withStopRequest } from "../../core/stopRequest";
import { type CocoKind, type CocoResult, type DetectionDataset, detectionField } from "../../data/coco";
import { shardRange } from "../../data/dataset";
import { type Shard, shardOptions } from "../../data/options";
import type { EngineOptions } from "../../engine";
import type { Detector } from "../../models/detector/detector";
import { detectorField } from "../../models/detector/options";
import { ObjectFinder } from "../../train/detection/finder";
import { expectHeldOut, resultsOf } from "../../train/detection/validate";
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

/**
 * Looks for objects in every image of a set and compares them with the annotations as COCO does: boxes, and masks where the
 * detector draws them. With `out`, what was found is kept image by image, and results.bbox.json and results.segm.json
 * in COCO's format are written when all is done.
 *
 * @throws LuvitError("bad-argument") for a set that does not fit the model or is under large-scale jitter, or a folder that is about another one.
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
  checkOptions("coco.evaluateDetector", detectionField, dataset);
  checkOptions("coco.evaluateDetector", detectorEvaluationOptions, options);
  expectHeldOut(dataset, model, "coco.evaluateDetector");
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
