import { LuvitError } from "../core/errors";
import type { ClassMapping } from "../data/classMapping";
import type { ImageDataset } from "../data/dataset";

/** What one row of scores says about one image. */
export interface Judgement {
  /** Label that the best score stands for; -1 where it stands for none of the set's, or the scores are not numbers. */
  prediction: number;
  /** The label is among the five best; null where a label has several classes. */
  inTop5: boolean | null;
  /** Cross entropy, nats, among the classes that compete; null where a label has several classes. */
  loss: number | null;
}

/**
 * How a set's images are answered by a model: through the set's mapping, or class by class.
 * @throws LuvitError("bad-argument") for a set with more classes than the model, or mapped from another number of them.
 */
export function mappingFor(
  dataset: Pick<ImageDataset, "classes" | "mapping">,
  classes: number,
  where: string,
): ClassMapping | undefined {
  const { mapping, classes: own } = dataset;
  if (mapping?.modelClasses === classes) return mapping;
  if (own.length === classes || (!mapping && own.length < classes)) return undefined;
  const alternative = mapping ? `, or ${mapping.modelClasses} (${mapping.name})` : "";
  throw new LuvitError(
    "bad-argument",
    `${where}: the data set has ${own.length} classes, the model's head has ${classes}; it would have to have ${own.length}${alternative}`,
  );
}

/** Judges one row of log probabilities [classes]; the first of equal scores is the better one. */
export function judge(scores: Float32Array, label: number, mapping?: ClassMapping): Judgement {
  const isBroken = scores.some(Number.isNaN);
  if (mapping?.competing === "all") {
    return { prediction: isBroken ? -1 : mapping.predict(scores), inTop5: null, loss: null };
  }
  const competing = mapping?.mappedClasses;
  const own = competing ? Float32Array.from(competing, (index) => scores[index]) : scores;
  if (isBroken) return { prediction: -1, inTop5: false, loss: Number.NaN };
  const better = own.reduce(
    (count, x, i) => count + (x > own[label] || (x === own[label] && i < label) ? 1 : 0),
    0,
  );
  const best = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = competing ? own.reduce((sum, x) => sum + Math.exp(x - best), 0) : 1;
  const shift = competing ? best + Math.log(total) : 0;
  return { prediction: own.indexOf(best), inTop5: better < 5, loss: shift - own[label] };
}
