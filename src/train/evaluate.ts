import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { breathe } from "../core/loop";
import { checkOptions, entry, optionsOf, partsWith, whole } from "../core/options";
import { tf } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { batches } from "../data/loader";
import { leavingOut } from "../data/unreadable";
import { ALONE, type Place } from "../distributed/place";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import { type Classifier, classifierField } from "../models/classifier";
import { type Sharing, unshared } from "./agreement";
import { expectClassOrder, expectImageSize } from "./checkSizes";
import { type Feeds, normalizedImages, type Pixels, pixelFeed, pixelsOf } from "./feeds";
import { type ForwardFunction, openForward } from "./forward";
import { MOST } from "./options";

import { type Judgement, judge, mappingFor } from "./scoring";

/** Accuracy on a data set. Prints as one line. */
export class Evaluation {
  /** Percent of images whose highest logit is the label. */
  readonly top1: number;
  /** Percent of images whose label is among the five highest logits; null where a label has several classes. */
  readonly top5: number | null;
  /** Mean cross entropy, nats; NaN where a label has several classes. */
  readonly loss: number;
  readonly labels: Int32Array;
  readonly predictions: Int32Array;

  constructor(parts: {
    top1: number;
    top5: number | null;
    loss: number;
    labels: Int32Array;
    predictions: Int32Array;
  }) {
    checkOptions("Evaluation", partsWith("top1", "loss", "labels", "predictions"), parts);
    const { top1, top5, loss, labels, predictions } = parts;
    this.top1 = top1;
    this.top5 = top5;
    this.loss = loss;
    this.labels = labels;
    this.predictions = predictions;
  }

  toString(): string {
    const { top1, top5, loss, labels } = this;
    const five = top5 === null || top5 === 100 ? "" : `, top-5 ${top5.toFixed(1)} %`;
    const mean = Number.isNaN(loss) ? "" : `, loss ${loss.toFixed(3)}`;
    return `top-1 ${top1.toFixed(1)} %${five} of ${labels.length} images${mean}`;
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

export const evaluateOptions = optionsOf<EvaluateOptions>(
  {},
  { ...engineOptions.optional, batchSize: entry(whole(1, MOST), "images at a time", 32) },
);

/** One image and what the model made of it. */
export interface Answer extends Judgement {
  index: number;
  label: number;
}

/** Computes log probabilities for a batch, always of the same size: { images } -> { scores }. */
export type Scores = (feeds: Feeds) => Promise<Record<string, Float32Array>>;

/**
 * Classifies every image of a set, in order, without augmentation of its own. Unreadable images are left out, not
 * replaced. A set of other classes than the model's is answered through its `mapping` (ImageNet-A, -R, ImageNet-9).
 *
 * @throws LuvitError("bad-argument") for a set with more classes than the model, or images of another size.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log(String(await luvit.train.evaluate(model, images.take(12))));
 */
export async function evaluate(
  model: Classifier,
  dataset: ImageDataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions("evaluate", classifierField, model);
  checkOptions("evaluate", datasetField, dataset);
  checkOptions("evaluate", evaluateOptions, options);
  const { batchSize = 32, ...engine } = options;
  expectFit(model, dataset);
  const size = Math.min(batchSize, dataset.length);
  const scores = logProbabilities(model, size, pixelsOf(dataset));
  const forward = await openForward("evaluate", model, scores, engine);
  try {
    return await evaluateWith((feeds) => forward.run(feeds), model, dataset, size);
  } finally {
    await forward.dispose();
  }
}

function expectFit(model: Classifier, dataset: ImageDataset): void {
  expectImageSize(dataset, model.encoder.config.imageSize, "evaluate");
  expectClassOrder(dataset, model, "evaluate");
  mappingFor(dataset, model.classes, "evaluate");
}

/** images [B, 3, S, S], normalized or bytes -> scores [B, classes], log probabilities. */
export function logProbabilities(model: Classifier, batchSize: number, pixels: Pixels): ForwardFunction {
  const { imageSize } = model.encoder.config;
  return {
    inputs: { images: { shape: [batchSize, 3, imageSize, imageSize], isBytes: pixels === "bytes" } },
    body: ({ images }) => ({ scores: tf.logSoftmax(model.forward(normalizedImages(images, pixels))) }),
  };
}

/** Evaluates with scores that somebody else computes, always for `batchSize` images. Each takes some batches. */
export async function evaluateWith(
  scores: Scores,
  model: Classifier,
  dataset: ImageDataset,
  batchSize: number,
  sharing: Sharing = unshared,
): Promise<Evaluation> {
  const own: Answer[] = [];
  for await (const answers of answersOf(scores, model, dataset, batchSize, pixelsOf(dataset), sharing))
    own.push(...answers);
  const all = (await sharing.gather(own)).flat().sort((a, b) => a.index - b.index);
  if (all.length === 0) {
    const none = `none of the ${dataset.length} images can be read`;
    throw new LuvitError("bad-dataset", `evaluate: ${none}; ${dataset.report}`);
  }
  const percent = (count: number) => (100 * count) / all.length;
  const right = all.filter(({ label, prediction }) => label === prediction).length;
  const ranked = all.every(({ inTop5 }) => inTop5 !== null);
  const top5 = ranked ? percent(all.filter(({ inTop5 }) => inTop5).length) : null;
  const loss = all.reduce((sum, answer) => sum + (answer.loss ?? Number.NaN), 0) / all.length;
  const column = (key: "label" | "prediction") => Int32Array.from(all, (answer) => answer[key]);
  return new Evaluation({
    top1: percent(right),
    top5,
    loss,
    labels: column("label"),
    predictions: column("prediction"),
  });
}

/**
 * The answers to every readable image of a set, or of every `size`-th batch from `rank` on, batch by batch, in order, from
 * scores that take such pixels.
 */
export async function* answersOf(
  scoresFor: Scores,
  model: Classifier,
  dataset: ImageDataset,
  batchSize: number,
  pixels: Pixels,
  { rank: index, size: count }: Place = ALONE,
): AsyncGenerator<Answer[], void> {
  expectFit(model, dataset);
  const mapping = mappingFor(dataset, model.classes, "evaluate");
  const { imageSize } = model.encoder.config;
  const order = { batchSize, shuffle: false, dropLast: false, pixels, share: { index, count } };
  for await (const batch of batches(leavingOut(dataset), { ...order, reuse: 1 })) {
    const images = pixelFeed(batch, imageSize, batchSize);
    const { scores } = await scoresFor({ images });
    const answers: Answer[] = [];
    for (const [i, label] of batch.labels.entries()) {
      const index = batch.batch * batchSize + i;
      if (batch.indices[i] !== index) continue; // stands in for an unreadable image
      const row = scores.subarray(i * model.classes, (i + 1) * model.classes);
      answers.push({ index, label, ...judge(row, label, mapping) });
    }
    yield answers;
    await breathe();
  }
}
