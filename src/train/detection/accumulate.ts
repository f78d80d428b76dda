/** 0, 0.01, … 1. */
export const recallPoints: readonly number[] = Array.from({ length: 101 }, (_, i) => i * 0.01);

/** What a result counts as. */
export const verdicts = { wrong: 0, right: 1, ignored: 2 } as const;

/** Results of a class: their scores, and what each counts as. */
export interface Hits {
  readonly scores: Float64Array;
  /** See `verdicts`. */
  readonly verdicts: Uint8Array;
}

/** Precision and score at each of the recall points, and the greatest recall. */
export interface PrecisionCurve {
  /** Never rising; 0 where so many are not found. */
  readonly precision: Float64Array;
  readonly scores: Float64Array;
  readonly recall: number;
}

/** Added to numbers of results, so that none is divided by 0. */
const EPSILON = 2 ** -52;

/** Positions by falling score; equal ones in their order. */
export function byScore(scores: Float64Array): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
}

/**
 * Precision over recall of results against `truths` objects; `order` has the positions of those that count, by falling
 * score.
 *
 * Reference: pycocotools cocoeval.py accumulate.
 */
export function precisionCurve(hits: Hits, order: Uint32Array, truths: number): PrecisionCurve {
  const precisions = new Float64Array(order.length);
  const recalls = new Float64Array(order.length);
  const count = [0, 0, 0];
  for (let i = 0; i < order.length; i++) {
    count[hits.verdicts[order[i]]]++;
    const [wrong, right] = count;
    recalls[i] = right / truths;
    precisions[i] = right / (wrong + right + EPSILON);
  }
  for (let i = order.length - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1], precisions[i]);
  const [precision, scores] = [new Float64Array(recallPoints.length), new Float64Array(recallPoints.length)];
  let at = 0;
  for (let i = 0; i < recallPoints.length; i++) {
    while (at < order.length && recalls[at] < recallPoints[i]) at++;
    if (at === order.length) break;
    precision[i] = precisions[at];
    scores[i] = hits.scores[order[at]];
  }
  return { precision, scores, recall: order.length > 0 ? recalls[order.length - 1] : 0 };
}
