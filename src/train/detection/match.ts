import { verdicts } from "./accumulate";
import type { Group } from "./groups";

/** Areas of objects in pixels, both ends included. */
export type AreaRange = readonly [from: number, to: number];

/** COCO's sizes of objects. */
export const areaRanges = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const satisfies Record<string, AreaRange>;

/** 0.5, 0.55, … 0.95, as numpy.linspace gives them. */
export const iouThresholds: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9),
);

/** What became of the results of a group at one threshold: which truth each took, or -1; and whether it counts. */
export interface Match {
  /** Positions in the group's truths. */
  readonly taken: Int32Array;
  /** Results that count neither as right nor as wrong. */
  readonly ignored: Uint8Array;
}

/** Truths that count neither as found nor as missed: crowds, and objects of other sizes. */
export function ignoredTruths({ truths }: Pick<Group, "truths">, [from, to]: AreaRange): boolean[] {
  return truths.map(({ crowd, area }) => crowd || area < from || area > to);
}

/**
 * Results take truths, best scores first: of those that are free the one they overlap most, if by the threshold or more.
 * Crowds can be taken again and again. Where an object that counts can be taken, others are not looked at. A match for
 * each of the thresholds.
 *
 * Reference: pycocotools cocoeval.py evaluateImg.
 */
export function matchGroup(group: Group, range: AreaRange, thresholds: readonly number[]): Match[] {
  const isIgnored = ignoredTruths(group, range);
  const positions = [...group.truths.keys()];
  const order = positions.sort((a, b) => Number(isIgnored[a]) - Number(isIgnored[b]));
  return thresholds.map((threshold) => matchAt(group, range, threshold, isIgnored, order));
}

function matchAt(
  { truths, results, areas, ious }: Group,
  range: AreaRange,
  threshold: number,
  isIgnored: readonly boolean[],
  order: readonly number[],
): Match {
  const taken = new Int32Array(results.length).fill(-1);
  const ignored = new Uint8Array(results.length);
  const isTaken = new Uint8Array(truths.length);
  for (let result = 0; result < results.length; result++) {
    let least = Math.min(threshold, 1 - 1e-10);
    let best = -1;
    for (const truth of order) {
      if (isTaken[truth] && !truths[truth].crowd) continue;
      if (best >= 0 && !isIgnored[best] && isIgnored[truth]) break;
      const iou = ious[result * truths.length + truth];
      if (iou < least) continue;
      least = iou;
      best = truth;
    }
    taken[result] = best;
    if (best >= 0) isTaken[best] = 1;
    const isOutside = areas[result] < range[0] || areas[result] > range[1];
    ignored[result] = Number(best >= 0 ? isIgnored[best] : isOutside);
  }
  return { taken, ignored };
}

/** What a result of a group counts as. */
export function verdictOf({ taken, ignored }: Match, place: number): number {
  return ignored[place] ? verdicts.ignored : taken[place] >= 0 ? verdicts.right : verdicts.wrong;
}

/** Objects that count. */
export function countTruths(group: Group, range: AreaRange): number {
  return ignoredTruths(group, range).filter((ignored) => !ignored).length;
}
