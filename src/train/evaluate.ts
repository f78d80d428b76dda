import { inspect } from "node:util";
import { breathe } from "../core/loop";
import { tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { batches } from "../data/loader";
import type { EngineOptions } from "../engine";
import type { Classifier } from "../models/classifier";
import { expectClasses, expectImageSize } from "./fit";
import { type ForwardFunction, openForward } from "./forward";
import { imageFeed } from "./pretrain";
import type { Feeds } from "./feeds";

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

/** How to evaluate. What is not said of the engine is chosen. */
export interface EvaluateOptions extends EngineOptions {
  /** Default 32. */
  batchSize?: number;
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
  { batchSize = 32, ...engine }: EvaluateOptions = {},
): Promise<Evaluation> {
  expectFit(model, dataset);
  const size = Math.min(batchSize, dataset.length);
  const forward = await openForward("evaluate", model, scoresOf(model, size), engine);
  try {
    return await evaluateWith((feeds) => forward.run(feeds), model, dataset, size);
  } finally {
    await forward.dispose();
  }
}

function expectFit(model: Classifier, dataset: ImageDataset): void {
  expectImageSize(dataset, model.encoder.config.imageSize, "evaluate");
  expectClasses(dataset, model.classes, "evaluate");
}

/** images [B, 3, S, S] -> scores [B, classes], log probabilities. */
export function scoresOf(model: Classifier, batchSize: number): ForwardFunction {
  const { imageSize } = model.encoder.config;
  return {
    inputs: { images: { shape: [batchSize, 3, imageSize, imageSize] } },
    body: ({ images }) => ({ scores: tf.logSoftmax(model.forward(images)) }),
  };
}

/** Evaluates with scores that somebody else computes, always for `batchSize` pictures. */
export async function evaluateWith(
  scoresFor: (feeds: Feeds) => Promise<Record<string, Float32Array>>,
  model: Classifier,
  dataset: ImageDataset,
  batchSize: number,
): Promise<Evaluation> {
  expectFit(model, dataset);
  const { imageSize } = model.encoder.config;
  const labels: number[] = [];
  const predictions: number[] = [];
  let loss = 0;
  for await (const batch of batches(dataset, { batchSize, shuffle: false, dropLast: false })) {
    const { scores } = await scoresFor({
      images: imageFeed(filled(batch.images, batchSize, imageSize), imageSize),
    });
    for (const [i, label] of batch.labels.entries()) {
      if (batch.indices[i] !== batch.batch * batchSize + i) continue; // stands in for an unreadable picture
      const row = scores.subarray(i * model.classes, (i + 1) * model.classes);
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

/** The last batch of a set, filled up with black pictures to the size that the graph was traced for. */
export function filled(images: Float32Array, batchSize: number, imageSize: number): Float32Array {
  const length = batchSize * 3 * imageSize * imageSize;
  if (images.length === length) return images;
  const whole = new Float32Array(length);
  whole.set(images);
  return whole;
}
