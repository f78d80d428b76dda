import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, instance } from "../core/options";

/**
 * How the scores of a model over `modelClasses` classes become one of the labels of a data set that has other classes,
 * e.g. the 200 of ImageNet-A.
 */
export class ClassMapping {
  /** The model's classes that have a label, by label; for a slice of classes one each. */
  readonly mappedClasses: readonly number[];

  /**
   * `labels` [modelClasses] holds the label of each of the model's classes, -1 for none. With `competing` "mapped" only
   * classes that have a label are compared; with "all" the best of all classes decides, and -1 is a wrong answer.
   */
  constructor(
    readonly name: string,
    readonly labels: Int32Array,
    readonly competing: "mapped" | "all",
  ) {
    checkOptions("ClassMapping", instance(Int32Array, "an Int32Array of labels"), labels);
    const mapped = [...labels.keys()].filter((i) => labels[i] >= 0);
    this.mappedClasses = mapped.sort((a, b) => labels[a] - labels[b] || a - b);
  }

  get modelClasses(): number {
    return this.labels.length;
  }

  /** The label that one row of scores [modelClasses] stands for; the first of equals, -1 for none. */
  predict(scores: ArrayLike<number>): number {
    if (scores.length !== this.modelClasses) {
      const sizes = `${this.modelClasses} scores, got ${scores.length}`;
      throw new LuvitError("shape-mismatch", `${this.name}: expected ${sizes}`);
    }
    let best = -1;
    for (let i = 0; i < scores.length; i++) {
      if (this.competing === "mapped" && this.labels[i] < 0) continue;
      if (best < 0 || scores[i] > scores[best]) best = i;
    }
    return this.labels[best];
  }

  [inspect.custom](): string {
    const rule = this.competing === "mapped" ? "only these compete" : "any other is wrong";
    return `ClassMapping(${this.name}) ${this.mappedClasses.length} of ${this.modelClasses} classes, ${rule}`;
  }
}

/** Whole numbers and ranges with both ends, "0-2 7", one after the other. */
export function parseRanges(text: string): number[] {
  return text
    .trim()
    .split(/\s+/)
    .flatMap((part) => {
      const [first, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/** The mapping that keeps some of a model's classes: label k is the k-th of them in ascending order. */
export function sliceMapping(name: string, classes: readonly number[], modelClasses = 1000): ClassMapping {
  const labels = new Int32Array(modelClasses).fill(-1);
  for (const [label, index] of [...classes].sort((a, b) => a - b).entries()) labels[index] = label;
  return new ClassMapping(name, labels, "mapped");
}
