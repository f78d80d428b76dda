import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, object } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import { type Classifier, classifierField } from "../models/classifier";
import { evaluate } from "../train/evaluate";

/** Accuracies on the splits of ImageNet-9, percent, and what swapping the background costs, percentage points. */
export class BackgroundReliance {
  /** Official BG-gap: same-class background minus random background; lower is better. */
  readonly backgroundGap: number;

  constructor(
    readonly original: number,
    readonly mixedSame: number,
    readonly mixedRand: number,
  ) {
    this.backgroundGap = mixedSame - mixedRand;
  }

  toString(): string {
    const [original, same, rand, gap] = [
      this.original,
      this.mixedSame,
      this.mixedRand,
      this.backgroundGap,
    ].map((x) => x.toFixed(1));
    return `original ${original} % · mixed_same ${same} % · mixed_rand ${rand} % · background gap ${gap} points`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

const splitSets = object({ original: datasetField, mixed_same: datasetField, mixed_rand: datasetField }, {});

export interface BackgroundSplits {
  original: ImageDataset;
  mixed_same: ImageDataset;
  mixed_rand: ImageDataset;
}

/**
 * Accuracy with the original, a same-class and a random-class background (LUViT Table 5; Xiao et al. 2021).
 *
 * @example
 * const transform = luvit.data.transforms.none(64);
 * const original = await luvit.data.imageNet9("data/shapes/in9", "original", { transform });
 * const mixed_same = await luvit.data.imageNet9("data/shapes/in9", "mixed_same", { transform });
 * const mixed_rand = await luvit.data.imageNet9("data/shapes/in9", "mixed_rand", { transform });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log(await luvit.analysis.backgroundReliance(model, { original, mixed_same, mixed_rand }));
 */
export async function backgroundReliance(
  model: Classifier,
  splits: BackgroundSplits,
): Promise<BackgroundReliance> {
  checkOptions("backgroundReliance", classifierField, model);
  checkOptions("backgroundReliance", splitSets, splits);
  for (const name of ["original", "mixed_same", "mixed_rand"] as const) {
    const { classes, mapping } = splits[name];
    if (classes.length === model.classes || mapping?.modelClasses === model.classes) continue;
    const counts = `${classes.length} classes, the model's head ${model.classes}`;
    throw new LuvitError(
      "bad-argument",
      `backgroundReliance: ${name} has ${counts}; both need the same classes`,
    );
  }
  const top1 = async (split: keyof BackgroundSplits) => (await evaluate(model, splits[split])).top1;
  return new BackgroundReliance(await top1("original"), await top1("mixed_same"), await top1("mixed_rand"));
}
