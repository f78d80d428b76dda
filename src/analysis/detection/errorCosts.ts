import type { Turn } from "../../core/loop";
import type { CocoAnnotation, CocoAnnotations, CocoResult } from "../../data/coco";
import { byScore, precisionCurve, verdicts } from "../../train/detection/accumulate";
import type { Group } from "../../train/detection/groups";
import { areaRanges, countTruths, type Match, verdictOf } from "../../train/detection/match";
import { type DetectionError, type DetectionErrorKind, mendable } from "./errorKinds";

/** A group and what became of its results. */
export interface MatchedGroup {
  readonly group: Group;
  readonly match: Match;
}

/** AP50, and what it would be without the errors of a kind. */
export class ErrorCosts {
  /** Objects that count, by label. */
  private readonly counts: readonly number[];

  constructor(
    private readonly truth: CocoAnnotations,
    private readonly matched: readonly MatchedGroup[],
    private readonly errors: readonly DetectionError[],
    private readonly found: ReadonlySet<CocoAnnotation>,
  ) {
    const counts = truth.categories.map(() => 0);
    for (const { group } of matched) counts[group.label] += countTruths(group, areaRanges.all);
    this.counts = counts;
  }

  /** AP50 when all errors of a kind, or none, were mended. */
  async ap50(turn: Turn, mended?: DetectionErrorKind): Promise<number> {
    const errors = this.errors.filter(({ kind }) => kind === mended);
    const left = [...this.counts];
    if (mended === "missed") for (const { truth } of errors) left[this.labelOf(truth!)]--;
    const hits = await this.hitsWithout(turn, errors, mended);
    const precisions: number[] = [];
    for (const [label, { scores, found }] of hits.entries()) {
      await turn.pass();
      if (left[label] <= 0) continue;
      const ofClass = { scores: Float64Array.from(scores), verdicts: Uint8Array.from(found) };
      precisions.push(mean(precisionCurve(ofClass, byScore(ofClass.scores), left[label]).precision));
    }
    return mean(precisions);
  }

  /** Results by label, with what they count as when `errors` are mended: right where they can be, or gone. */
  private async hitsWithout(turn: Turn, errors: readonly DetectionError[], mended?: DetectionErrorKind) {
    const mistaken = new Map(errors.map((error) => [error.result, error]));
    const repaired = mended && mendable(mended) ? bestFor(errors, this.found) : new Set<CocoResult>();
    const hits = this.counts.map(() => ({ scores: [] as number[], found: [] as number[] }));
    const add = (label: number, { score }: CocoResult, verdict: number) => {
      hits[label].scores.push(score);
      hits[label].found.push(verdict);
    };
    for (const { group, match } of this.matched) {
      await turn.pass();
      group.results.forEach((result, place) => {
        const error = mistaken.get(result);
        if (!error) add(group.label, result, verdictOf(match, place));
        else if (repaired.has(result)) add(this.labelOf(error.truth!), result, verdicts.right);
      });
    }
    return hits;
  }

  private labelOf(one: CocoAnnotation): number {
    return this.truth.label(one.categoryId)!;
  }
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

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
