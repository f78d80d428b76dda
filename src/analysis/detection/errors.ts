import { inspect } from "node:util";
import { boxIou, maskIou } from "../../core/masks";
import { checkOptions, instance, object, row } from "../../core/options";
import { textTable } from "../../core/textTable";
import {
  type CocoAnnotation,
  CocoAnnotations,
  type CocoKind,
  type CocoResult,
  cocoKind,
  expectKind,
} from "../../data/coco";
import { type Hit, precisionCurve } from "./accumulate";
import { countTruths, hitsOf } from "./evaluate";
import { type Group, groupsOf } from "./groups";
import { areaRanges, type Match, matchGroup } from "./match";

/** What is wrong with a result, or (missed) that there is none. */
export type DetectionErrorKind =
  | "classification"
  | "localization"
  | "both"
  | "duplicate"
  | "background"
  | "missed";

export const errorKinds: readonly DetectionErrorKind[] = [
  "classification",
  "localization",
  "both",
  "duplicate",
  "background",
  "missed",
];

/** A wrong result, or a truth that nothing was found of. */
export interface DetectionError {
  readonly kind: DetectionErrorKind;
  readonly imageId: number;
  readonly result?: CocoResult;
  /** The object that it is about; absent for background. */
  readonly truth?: CocoAnnotation;
  /** The overlap of both. */
  readonly iou?: number;
}

/** An overlap from here on finds an object; below the other one there is only background. */
const FOUND = 0.5;
const BACKGROUND = 0.1;
const MOST = 100;

/** Errors of a detector by kind. */
export class DetectionErrors {
  constructor(
    readonly errors: readonly DetectionError[],
    /** AP50 as it is, 0 to 1. */
    readonly ap50: number,
    /** By how much AP50 would be higher if all errors of a kind were mended; kinds do not add up. */
    readonly gain: Readonly<Record<DetectionErrorKind, number>>,
  ) {}

  count(kind: DetectionErrorKind): number {
    return this.errors.filter((error) => error.kind === kind).length;
  }

  toString(): string {
    const rows = errorKinds.map((kind) => [
      kind,
      String(this.count(kind)),
      (100 * this.gain[kind]).toFixed(1),
    ]);
    return `AP50 ${(100 * this.ap50).toFixed(1)}\n${textTable(["error", "count", "AP50 lost"], rows)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * What goes wrong, by kind: the right place and another class, the right class and a place too far off, both, a second
 * result for an object, nothing there at all, and objects that were missed; and what each costs in AP50.
 *
 * Reference: Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", arXiv:2008.08115.
 *
 * @throws LuvitError("bad-argument") for results without what is compared.
 */
export function errorsByKind(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  kind: CocoKind = "bbox",
): DetectionErrors {
  checkOptions("coco.errorsByKind", instance(CocoAnnotations, "what coco.read gave"), truth);
  checkOptions("coco.errorsByKind", row("a list of results"), results);
  checkOptions("coco.errorsByKind", object({ kind: cocoKind }, {}), { kind });
  expectKind("coco.errorsByKind", results, kind);
  const groups = groupsOf(truth, results, kind, MOST);
  const matches = groups.map((ofClass) => ofClass.map((group) => matchGroup(group, areaRanges.all, FOUND)));
  const found = new Set<CocoAnnotation>();
  const wrong: CocoResult[] = [];
  for (const [group, { taken, ignored }] of zip(groups.flat(), matches.flat())) {
    group.results.forEach((result, at) => {
      if (taken[at] >= 0) found.add(group.truths[taken[at]]);
      else if (!ignored[at]) wrong.push(result);
    });
  }
  const errors = wrong.map((result) => classify(truth, result, kind, found));
  const blamed = new Set(errors.flatMap((error) => (mendable(error.kind) ? [error.truth] : [])));
  const missed = truth.annotations
    .filter((one) => !one.crowd && !found.has(one) && !blamed.has(one))
    .map((one): DetectionError => ({ kind: "missed", imageId: one.imageId, truth: one }));
  return new DetectionErrors(
    [...errors, ...missed],
    ...costs(truth, groups, matches, [...errors, ...missed], found),
  );
}

/** Errors that would be right results if they were mended. */
const mendable = (kind: DetectionErrorKind) => kind === "classification" || kind === "localization";

function classify(
  truth: CocoAnnotations,
  result: CocoResult,
  kind: CocoKind,
  found: ReadonlySet<CocoAnnotation>,
): DetectionError {
  const truths = truth.of(result.imageId).filter(({ crowd }) => !crowd);
  const none = truths.map(() => false);
  const ious =
    kind === "bbox"
      ? boxIou(
          [result.box!],
          truths.map(({ box }) => box),
          none,
        )
      : maskIou(
          [result.mask!],
          truths.map((one) => truth.mask(one)),
          none,
        );
  const best = (which: (one: CocoAnnotation) => boolean) =>
    truths.reduce((top, one, i) => (which(one) && (top < 0 || ious[i] > ious[top]) ? i : top), -1);
  const isSame = (one: CocoAnnotation) => one.categoryId === result.categoryId;
  const [same, other, double] = [
    best(isSame),
    best((one) => !isSame(one)),
    best((one) => isSame(one) && found.has(one)),
  ];
  const at = (index: number) => (index < 0 ? 0 : ious[index]);
  const error = (kind: DetectionErrorKind, index: number): DetectionError => {
    return { kind, imageId: result.imageId, result, truth: truths[index], iou: at(index) };
  };
  if (at(same) >= BACKGROUND && at(same) < FOUND) return error("localization", same);
  if (at(other) >= FOUND) return error("classification", other);
  if (at(double) >= FOUND) return error("duplicate", double);
  if (Math.max(at(same), at(other)) < BACKGROUND)
    return { kind: "background", imageId: result.imageId, result };
  return error("both", other);
}

/** AP50, and how much of it every kind of error costs. */
function costs(
  truth: CocoAnnotations,
  groups: readonly (readonly Group[])[],
  matches: readonly (readonly Match[])[],
  errors: readonly DetectionError[],
  found: ReadonlySet<CocoAnnotation>,
): [number, Record<DetectionErrorKind, number>] {
  const counts = groups.map((ofClass) => countTruths(ofClass, areaRanges.all));
  const labelOf = (one: CocoAnnotation) => truth.label(one.categoryId)!;
  const ap = (mended?: DetectionErrorKind) => {
    const ofKind = errors.filter(({ kind }) => kind === mended);
    const mistaken = new Map(ofKind.map((error) => [error.result, error]));
    const repaired = mended && mendable(mended) ? bestFor(ofKind, found) : new Set<CocoResult>();
    const hits = groups.map((): Hit[] => []);
    for (const [group, match] of zip(groups.flat(), matches.flat())) {
      for (const [result, hit] of zip(group.results, hitsOf(group, match, MOST))) {
        const error = mistaken.get(result);
        if (!error) hits[group.label].push(hit);
        else if (repaired.has(result)) hits[labelOf(error.truth!)].push({ ...hit, is: "right" });
      }
    }
    const left = [...counts];
    if (mended === "missed") for (const error of ofKind) left[labelOf(error.truth!)]--;
    const curves = hits.flatMap((ofClass, label) =>
      left[label] > 0 ? precisionCurve(ofClass, left[label]) : [],
    );
    return mean(curves.map(({ precision }) => mean(precision)));
  };
  const now = ap();
  const gain = Object.fromEntries(errorKinds.map((kind) => [kind, ap(kind) - now]));
  return [now, gain as Record<DetectionErrorKind, number>];
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

function zip<A, B>(a: readonly A[], b: readonly B[]): [A, B][] {
  return a.map((one, i) => [one, b[i]]);
}

/** Of errors about one object that nothing else has found, the ones with the best scores. */
function bestFor(errors: readonly DetectionError[], found: ReadonlySet<CocoAnnotation>): Set<CocoResult> {
  const best = new Map<CocoAnnotation, CocoResult>();
  for (const { truth, result } of errors) {
    if (!truth || !result || found.has(truth)) continue;
    const other = best.get(truth);
    if (!other || result.score > other.score) best.set(truth, result);
  }
  return new Set(best.values());
}
