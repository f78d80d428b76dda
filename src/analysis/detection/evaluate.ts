import type { Turn } from "../../core/loop";
import { checkOptions, instance, optionsOf, row, signal } from "../../core/options";
import { CocoAnnotations, type CocoKind, type CocoResult, cocoKind, expectResults } from "../../data/coco";
import type { Provenance } from "../../io/tables";
import { type Group, Groups } from "../../train/detection/groups";
import { provenance } from "../options";
import { type CurveSet, DetectionScores } from "./scores";
import { Tally } from "./tally";
import { inTurns } from "./turns";

/** What is compared, and how. */
export interface EvaluationOptions extends Provenance {
  /** "bbox" or "segm". */
  kind: CocoKind;
  /** Results of an image and class that count, the best ones; default 1, 10 and 100. */
  maxDetections?: readonly [number, number, number];
  /** Ends it. */
  signal?: AbortSignal;
}

export const evaluationOptions = optionsOf<EvaluationOptions>(
  { kind: cocoKind },
  { ...provenance.optional, maxDetections: row("three whole numbers"), signal },
  ({ maxDetections }) => {
    const isRising =
      maxDetections === undefined ||
      (maxDetections.length === 3 &&
        maxDetections.every(
          (most, i) => Number.isInteger(most) && most >= 1 && (i === 0 || most >= maxDetections[i - 1]),
        ));
    return isRising ? [] : [["maxDetections", "three rising whole numbers from 1"]];
  },
);

/**
 * COCO's scores of results against annotations: average precision and recall over overlaps, classes and sizes, the same
 * numbers that pycocotools gives. Masks have the size of their pixels, also where results have boxes too. Other work goes
 * on meanwhile.
 *
 * Reference: pycocotools cocoeval.py.
 *
 * @throws LuvitError("bad-argument") for results without what is compared, or of images or classes that are not in
 * `truth`; LuvitError("bad-dataset") for masks where the annotations have none; LuvitError("interrupted").
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * const [one] = truth.annotations;
 * const results = [{ imageId: one.imageId, categoryId: one.categoryId, score: 0.9, box: one.box }];
 * console.log(await luvit.coco.evaluate(truth, results, { kind: "bbox" }));
 */
export async function evaluate(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  options: EvaluationOptions,
): Promise<DetectionScores> {
  checkOptions("coco.evaluate", instance(CocoAnnotations, "what coco.read gave"), truth);
  checkOptions("coco.evaluate", row("a list of results"), results);
  checkOptions("coco.evaluate", evaluationOptions, options);
  const { kind, maxDetections = [1, 10, 100], signal, ...about } = options;
  expectResults("coco.evaluate", truth, results, kind);
  const groups = new Groups(truth, results, kind, maxDetections[2]);
  const what = `scores of ${kind === "bbox" ? "boxes" : "masks"}`;
  const curves = await inTurns(what, groups.classes, signal, async (turn, advance) => {
    const all: CurveSet[] = [];
    while (all.length < groups.classes) {
      all.push(await curvesOf(groups.of(all.length), maxDetections, turn));
      advance(all.length);
    }
    return all;
  });
  return new DetectionScores(
    { kind, classes: truth.classes, maxDetections, curves, images: truth.images.length },
    about,
  );
}

/** The curves of a class. */
async function curvesOf(
  groups: Iterable<Group>,
  maxDetections: readonly number[],
  turn: Turn,
): Promise<CurveSet> {
  const tally = new Tally();
  for (const group of groups) {
    tally.add(group);
    await turn.pass();
  }
  return tally.curves(maxDetections, turn);
}
