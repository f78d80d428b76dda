import type { Turn } from "../../core/loop";
import { byScore, type PrecisionCurve, precisionCurve } from "../../train/detection/accumulate";
import type { Group } from "../../train/detection/groups";
import {
  type AreaRange,
  areaRanges,
  countTruths,
  iouThresholds,
  matchGroup,
  verdictOf,
} from "../../train/detection/match";
import type { CurveSet } from "./scores";

const ranges: readonly AreaRange[] = Object.values(areaRanges);

/** What the results of a class count as, group after group, for every area range and threshold. */
export class Tally {
  private readonly scores: number[] = [];
  /** Places of results within their image, best first. */
  private readonly places: number[] = [];
  /** [area range][threshold][result]. */
  private readonly found: readonly (readonly number[][])[] = ranges.map(() => iouThresholds.map(() => []));
  /** Objects that count, by area range. */
  private readonly truths = ranges.map(() => 0);

  add(group: Group): void {
    group.results.forEach(({ score }, place) => {
      this.scores.push(score);
      this.places.push(place);
    });
    ranges.forEach((range, area) => {
      this.truths[area] += countTruths(group, range);
      matchGroup(group, range, iouThresholds).forEach((match, threshold) => {
        const found = this.found[area][threshold];
        for (let place = 0; place < match.taken.length; place++) found.push(verdictOf(match, place));
      });
    });
  }

  /** Curves of all results so far, [threshold][area range][most results]: see `CurveSet`. */
  async curves(maxDetections: readonly number[], turn: Turn): Promise<CurveSet> {
    const scores = Float64Array.from(this.scores);
    const all = byScore(scores);
    const orders = maxDetections.map((most) => all.filter((at) => this.places[at] < most));
    const curves: CurveSet[number][] = [];
    for (const threshold of iouThresholds.keys()) {
      await turn.pass();
      curves.push(ranges.map((_, area) => this.curvesAt(threshold, area, scores, orders)));
    }
    return curves;
  }

  private curvesAt(threshold: number, area: number, scores: Float64Array, orders: readonly Uint32Array[]) {
    const truths = this.truths[area];
    const hits = { scores, verdicts: Uint8Array.from(this.found[area][threshold]) };
    return orders.map((order): PrecisionCurve | undefined =>
      truths === 0 ? undefined : precisionCurve(hits, order, truths),
    );
  }
}
