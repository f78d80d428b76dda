/** 0, 0.01, … 1. */
export const recallPoints: readonly number[] = Array.from({ length: 101 }, (_, i) => i * 0.01);

/** A result: its score, and whether it is right, wrong, or counts as neither. */
export interface Hit {
  readonly score: number;
  readonly is: "right" | "wrong" | "ignored";
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

/**
 * Precision over recall of results against `truths` objects.
 *
 * Reference: pycocotools cocoeval.py accumulate.
 */
export function precisionCurve(hits: readonly Hit[], truths: number): PrecisionCurve {
  const sorted = [...hits].sort((a, b) => b.score - a.score);
  const precisions = new Float64Array(sorted.length);
  const recalls = new Float64Array(sorted.length);
  const count = { right: 0, wrong: 0, ignored: 0 };
  sorted.forEach((hit, i) => {
    count[hit.is]++;
    recalls[i] = count.right / truths;
    precisions[i] = count.right / (count.wrong + count.right + EPSILON);
  });
  for (let i = sorted.length - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1], precisions[i]);
  const [precision, scores] = [new Float64Array(recallPoints.length), new Float64Array(recallPoints.length)];
  let at = 0;
  recallPoints.forEach((point, i) => {
    while (at < sorted.length && recalls[at] < point) at++;
    if (at === sorted.length) return;
    precision[i] = precisions[at];
    scores[i] = sorted[at].score;
  });
  return { precision, scores, recall: sorted.length > 0 ? recalls[sorted.length - 1] : 0 };
}
