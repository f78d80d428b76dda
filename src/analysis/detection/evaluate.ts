import { checkOptions, instance, optionsOf, row } from "../../core/options";
import { CocoAnnotations, type CocoKind, type CocoResult, cocoKind, expectKind } from "../../data/coco";
import type { Provenance } from "../../io/tables";
import { provenance } from "../options";
import { type Hit, type PrecisionCurve, precisionCurve } from "./accumulate";
import { type Group, groupsOf } from "./groups";
import { type AreaRange, areaRanges, ignoredTruths, iouThresholds, type Match, matchGroup } from "./match";
import { type CurveSet, DetectionScores } from "./scores";

/** What is compared, and how. */
export interface EvaluationOptions extends Provenance {
  /** "bbox" or "segm". */
  kind: CocoKind;
  /** Results of an image and class that count, the best ones; default 1, 10 and 100. */
  maxDetections?: readonly [number, number, number];
}

export const evaluationOptions = optionsOf<EvaluationOptions>(
  { kind: cocoKind },
  { ...provenance.optional, maxDetections: row("three whole numbers") },
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
 * numbers that pycocotools gives. Masks have the size of their pixels, also where results have boxes too.
 *
 * Reference: pycocotools cocoeval.py.
 *
 * @throws LuvitError("bad-argument") for results without what is compared, LuvitError("bad-dataset") for masks where the
 * annotations have none.
 */
export function evaluate(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  options: EvaluationOptions,
): DetectionScores {
  checkOptions("coco.evaluate", instance(CocoAnnotations, "what coco.read gave"), truth);
  checkOptions("coco.evaluate", row("a list of results"), results);
  checkOptions("coco.evaluate", evaluationOptions, options);
  const { kind, maxDetections = [1, 10, 100], ...about } = options;
  expectKind("coco.evaluate", results, kind);
  const groups = groupsOf(truth, results, kind, maxDetections[2]);
  const curves = groups.map((ofClass) => curvesOf(ofClass, maxDetections));
  return new DetectionScores(
    { kind, classes: truth.classes, maxDetections, curves, images: truth.images.length },
    about,
  );
}

/** The curves of a class, [threshold][area range][most results]; undefined where no object of it counts. */
function curvesOf(groups: readonly Group[], maxDetections: readonly number[]): CurveSet {
  const ranges = Object.values(areaRanges);
  const counts = ranges.map((range) => countTruths(groups, range));
  return iouThresholds.map((threshold) =>
    ranges.map((range, area) => {
      const matches = groups.map((group) => matchGroup(group, range, threshold));
      return maxDetections.map((most): PrecisionCurve | undefined => {
        if (counts[area] === 0) return undefined;
        return precisionCurve(
          groups.flatMap((group, i) => hitsOf(group, matches[i], most)),
          counts[area],
        );
      });
    }),
  );
}

/** What the best results of a group count as. */
export function hitsOf({ results }: Group, { taken, ignored }: Match, most: number): Hit[] {
  return results.slice(0, most).map(({ score }, at) => {
    return { score, is: ignored[at] ? "ignored" : taken[at] >= 0 ? "right" : "wrong" };
  });
}

/** Objects that count. */
export function countTruths(groups: readonly Group[], range: AreaRange): number {
  return groups.reduce(
    (sum, group) => sum + ignoredTruths(group, range).filter((ignored) => !ignored).length,
    0,
  );
}
