import { inspect } from "node:util";
import { breathe } from "../core/loop";
import { tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { batches } from "../data/loader";
import type { Classifier } from "../models/classifier";
import { expectClasses, expectImageSize } from "./fit";
import { imageTensor } from "./pretrain";

/** Accuracy on a data set. Prints as one line. */
export class Evaluation {
  constructor(
    /** Percent of images whose highest logit is the label. */
    readonly top1: number,
    /** Mean cross entropy, nats. */
    readonly loss: number,
    readonly labels: Int32Array,
    readonly predictions: Int32Array,
  ) {}

  toString(): string {
    return `top-1 ${this.top1.toFixed(1)} % of ${this.labels.length} images, loss ${this.loss.toFixed(3)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Classifies every image of a set, in order, without augmentation of its own. Unreadable images are left out, not
 * replaced.
 *
 * @throws LuvitError("bad-argument") for a set with more classes than the model, or images of another size.
 */
export async function evaluate(
  model: Classifier,
  dataset: ImageDataset,
  { batchSize = 32 }: { batchSize?: number } = {},
): Promise<Evaluation> {
  const { imageSize } = model.encoder.config;
  expectImageSize(dataset, imageSize, "evaluate");
  expectClasses(dataset, model.classes, "evaluate");
  const labels: number[] = [];
  const predictions: number[] = [];
  let loss = 0;
  for await (const batch of batches(dataset, { batchSize, shuffle: false, dropLast: false })) {
    const scores = tf.tidy(() => tf.logSoftmax(model.forward(imageTensor(batch, imageSize))));
    const values = await scores.data<"float32">();
    scores.dispose();
    for (const [i, label] of batch.labels.entries()) {
      if (batch.indices[i] !== batch.batch * batchSize + i) continue; // stands in for an unreadable picture
      const row = values.subarray(i * model.classes, (i + 1) * model.classes);
      labels.push(label);
      predictions.push(row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)));
      loss -= row[label];
    }
    await breathe();
  }
  const right = labels.filter((label, i) => label === predictions[i]).length;
  const top1 = (100 * right) / labels.length;
  return new Evaluation(top1, loss / labels.length, Int32Array.from(labels), Int32Array.from(predictions));
}
