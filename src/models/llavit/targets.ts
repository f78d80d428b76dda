import { LuvitError } from "../../core/errors";

/** A token that is not to be answered. */
export const NOT_COUNTED = -100;

/** What a loss over answers is fed. */
export interface AnswerTargets {
  /** int32 [N]: tokens b T + t whose next one counts. */
  rows: Int32Array;
  /** [N, V], N / counted at the next token; rows that only fill up are zeros. */
  targets: Float32Array;
}

/**
 * Labels [B, T], `NOT_COUNTED` where nothing is asked, as rows of fixed number `most`: their mean cross entropy is that of
 * all counted labels of the batch. Logits at t answer the label at t + 1.
 * Reference: transformers loss/loss_utils.py ForCausalLMLoss.
 *
 * @throws LuvitError("bad-argument") where nothing is counted, or more than `most`, or a label is no token.
 */
export function answerTargets(
  labels: readonly ArrayLike<number>[],
  vocabulary: number,
  most?: number,
): AnswerTargets {
  const asked = labels.flatMap((row, b) =>
    Array.from(row, (label, t) => ({ label, row: b * row.length + t - 1 })).filter(
      ({ label }, t) => t > 0 && label !== NOT_COUNTED,
    ),
  );
  const foreign = asked.find(({ label }) => !(Number.isInteger(label) && label >= 0 && label < vocabulary));
  const places = most ?? asked.length;
  if (foreign || asked.length === 0 || asked.length > places) {
    const what = foreign
      ? `label ${foreign.label} is no token of ${vocabulary}`
      : `${asked.length} labels counted`;
    throw new LuvitError("bad-argument", `answers: ${what}, expected 1 to ${places} of a batch`);
  }
  const rows = new Int32Array(places);
  const targets = new Float32Array(places * vocabulary);
  for (const [i, { label, row }] of asked.entries()) {
    rows[i] = row;
    targets[i * vocabulary + label] = places / asked.length;
  }
  return { rows, targets };
}
