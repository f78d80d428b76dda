import { inspect } from "node:util";
import type { Turn } from "../../core/loop";
import { boxIou, maskIou, type Rle } from "../../core/masks";
import { checkOptions, instance, optionsOf, row, signal } from "../../core/options";
import { textTable } from "../../core/textTable";
import {
  type CocoAnnotation,
  CocoAnnotations,
  type CocoKind,
  type CocoResult,
  cocoKind,
  expectResults,
} from "../../data/coco";
import { Groups } from "../../train/detection/groups";
import { areaRanges, matchGroup } from "../../train/detection/match";
import { ErrorCosts, type MatchedGroup } from "./errorCosts";
import {
  type DetectionError,
  type DetectionErrorKind,
  errorKinds,
  mendable,
  type RightResult,
} from "./errorKinds";
import { inTurns } from "./turns";

/** What is compared; "bbox" is the default. */
export interface ErrorOptions {
  kind?: CocoKind;
  /** Ends it. */
  signal?: AbortSignal;
}

const errorOptions = optionsOf<ErrorOptions>({}, { kind: cocoKind, signal });

/** An overlap from here on finds an object; below the other one there is only background. */
const FOUND = 0.5;
const BACKGROUND = 0.1;
const MOST = 100;

/** Errors of a detector by kind. */
export class DetectionErrors {
  constructor(
    readonly errors: readonly DetectionError[],
    /** AP50 as it is, 0 to 1; NaN where no object counts. */
    readonly ap50: number,
    /**
     * By how much AP50 would be higher if all errors of a kind were mended; kinds do not add up. NaN where no object would
     * be left.
     */
    readonly gain: Readonly<Record<DetectionErrorKind, number>>,
    /** The results that are right. */
    readonly right: readonly RightResult[],
    /** Results in crowds, which are neither. */
    readonly inCrowds: readonly CocoResult[],
  ) {}

  count(kind: DetectionErrorKind): number {
    return this.errors.filter((error) => error.kind === kind).length;
  }

  toString(): string {
    const percent = (share: number) => (Number.isNaN(share) ? "–" : (100 * share).toFixed(1));
    const rows = errorKinds.map((kind) => [kind, String(this.count(kind)), percent(this.gain[kind])]);
    return `AP50 ${percent(this.ap50)}\n${textTable(["error", "count", "AP50 lost"], rows)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * What goes wrong, by kind: the right place and another class, the right class and a place too far off, both, a second
 * result for an object, nothing there at all, and objects that were missed; and what each costs in AP50. Other work goes on
 * meanwhile.
 *
 * Reference: Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", arXiv:2008.08115.
 *
 * @throws LuvitError("bad-argument") for results without what is compared, or of images or classes that are not in
 * `truth`; LuvitError("interrupted").
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * console.log(await luvit.coco.errorsByKind(truth, []));
 */
export async function errorsByKind(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  options: ErrorOptions = {},
): Promise<DetectionErrors> {
  checkOptions("coco.errorsByKind", instance(CocoAnnotations, "what coco.read gave"), truth);
  checkOptions("coco.errorsByKind", row("a list of results"), results);
  checkOptions("coco.errorsByKind", errorOptions, options);
  const { kind = "bbox", signal } = options;
  expectResults("coco.errorsByKind", truth, results, kind);
  const groups = new Groups(truth, results, kind, MOST);
  return inTurns("errors", groups.classes, signal, async (turn, advance) => {
    const matched = await matchAll(groups, turn, advance);
    const found = new Set(
      matched.flatMap(({ group, match }) => [...match.taken].flatMap((at) => group.truths[at] ?? [])),
    );
    const classifier = new ErrorClassifier(truth, kind, found);
    const errors: DetectionError[] = [];
    for (const { group, match } of matched) {
      const wrong = group.results.filter((_, at) => match.taken[at] < 0 && !match.ignored[at]);
      for (const result of wrong) {
        errors.push(classifier.classify(result));
        await turn.pass();
      }
    }
    const blamed = new Set(errors.flatMap((error) => (mendable(error.kind) ? [error.truth] : [])));
    const missed = truth.annotations
      .filter((one) => !one.crowd && !found.has(one) && !blamed.has(one))
      .map((one): DetectionError => ({ kind: "missed", imageId: one.imageId, truth: one }));
    const all = [...errors, ...missed];
    const costs = new ErrorCosts(truth, matched, all, found);
    const ap50 = await costs.ap50(turn);
    const gain: Partial<Record<DetectionErrorKind, number>> = {};
    for (const one of errorKinds) gain[one] = (await costs.ap50(turn, one)) - ap50;
    const { right, inCrowds } = goodOf(matched);
    return new DetectionErrors(all, ap50, gain as Record<DetectionErrorKind, number>, right, inCrowds);
  });
}

async function matchAll(
  groups: Groups,
  turn: Turn,
  advance: (classes: number) => void,
): Promise<MatchedGroup[]> {
  const matched: MatchedGroup[] = [];
  for (let label = 0; label < groups.classes; label++) {
    for (const group of groups.of(label)) {
      matched.push({ group, match: matchGroup(group, areaRanges.all, [FOUND])[0] });
      await turn.pass();
    }
    advance(label + 1);
  }
  return matched;
}

/** Results that took an object, and those that count as nothing. */
function goodOf(matched: readonly MatchedGroup[]): { right: RightResult[]; inCrowds: CocoResult[] } {
  const right: RightResult[] = [];
  const inCrowds: CocoResult[] = [];
  for (const { group, match } of matched) {
    group.results.forEach((result, at) => {
      const taken = match.taken[at];
      if (match.ignored[at]) inCrowds.push(result);
      else if (taken >= 0) {
        const iou = group.ious[at * group.truths.length + taken];
        right.push({ result, truth: group.truths[taken], iou });
      }
    });
  }
  return { right, inCrowds };
}

/** Tells what is wrong with a result. */
class ErrorClassifier {
  private readonly masks = new Map<CocoAnnotation, Rle>();

  constructor(
    private readonly truth: CocoAnnotations,
    private readonly kind: CocoKind,
    private readonly found: ReadonlySet<CocoAnnotation>,
  ) {}

  classify(result: CocoResult): DetectionError {
    const truths = this.truth.of(result.imageId).filter(({ crowd }) => !crowd);
    const ious = this.overlaps(result, truths);
    const best = (which: (one: CocoAnnotation) => boolean) =>
      truths.reduce((top, one, i) => (which(one) && (top < 0 || ious[i] > ious[top]) ? i : top), -1);
    const isSame = (one: CocoAnnotation) => one.categoryId === result.categoryId;
    const [same, other, double] = [
      best(isSame),
      best((one) => !isSame(one)),
      best((one) => isSame(one) && this.found.has(one)),
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

  private overlaps({ box, mask }: CocoResult, truths: readonly CocoAnnotation[]): Float64Array {
    const none = truths.map(() => false);
    if (this.kind === "segm")
      return maskIou(
        [mask!],
        truths.map((one) => this.mask(one)),
        none,
      );
    const boxes = truths.map((one) => one.box);
    return boxIou([box!], boxes, none);
  }

  private mask(one: CocoAnnotation): Rle {
    const known = this.masks.get(one);
    if (known) return known;
    const mask = this.truth.mask(one);
    this.masks.set(one, mask);
    return mask;
  }
}
