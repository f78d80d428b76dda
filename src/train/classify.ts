import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, optionsOf, such } from "../core/options";
import { ensureBackend, tf } from "../core/tf";
import type { RgbImage } from "../data/pixels";
import { type Classifier, classifierField } from "../models/classifier";
import { imageArgument, preparedValues } from "./preparedImage";

/** How an image is classified. */
export interface ClassifyOptions {
  /** How many classes are given back, the likeliest first; default 5, or all where there are fewer. */
  topK?: number;
}

/** How many there may be is for the model to say. */
const classifyOptions = optionsOf<ClassifyOptions>(
  {},
  { topK: such("a number", (value) => typeof value === "number") },
);

/** A class that a model gives an image, and how sure it is. */
export interface ClassifiedAs {
  /** Its name where the model knows it, else "class 7". */
  readonly name: string;
  /** Its label, from 0. */
  readonly label: number;
  /** 0 … 1; those of all classes sum to 1. */
  readonly probability: number;
}

/** What a model says of an image. Prints as one line. */
export class Classification {
  constructor(readonly classes: readonly ClassifiedAs[]) {}

  /** The likeliest. */
  get best(): ClassifiedAs {
    return this.classes[0];
  }

  toString(): string {
    return this.classes
      .map(({ name, probability }) => `${name} ${(100 * probability).toFixed(1)} %`)
      .join(", ");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Classifies one image: a file, encoded bytes, pixels, or what a data set gives ([3, S, S], already prepared). It is
 * prepared as the model's `preprocessing` says.
 *
 * @throws LuvitError("bad-argument") for topK that cannot be or values of another size, "bad-image" or "missing-file" for
 * what cannot be read.
 *
 * @example
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * console.log(await luvit.classify(model, images.files[0].path, { topK: 3 }));
 */
export async function classify(
  model: Classifier,
  image: string | Uint8Array | RgbImage | Float32Array,
  options: ClassifyOptions = {},
): Promise<Classification> {
  checkOptions("classify", classifierField, model);
  checkOptions("classify", imageArgument, image);
  checkOptions("classify", classifyOptions, options);
  const { topK } = options;
  const { classes, classNames } = model;
  const count = topK ?? Math.min(5, classes);
  if (!Number.isInteger(count) || count < 1 || count > classes) {
    throw new LuvitError("bad-argument", `classify: topK is ${inspect(topK)}, expected 1 to ${classes}`);
  }
  const side = model.encoder.config.imageSize;
  const values = await preparedValues("classify", image, model.preprocessing, side);
  await ensureBackend();
  const scores = tf.tidy(() => tf.softmax(model.forward(tf.tensor(values, [1, 3, side, side]))));
  const probabilities = await scores.data<"float32">();
  scores.dispose();
  const order = Array.from(probabilities, (_, label) => label).sort(
    (a, b) => probabilities[b] - probabilities[a],
  );
  const named = (label: number) => classNames?.[label] ?? `class ${label}`;
  return new Classification(
    order.slice(0, count).map((label) => ({ name: named(label), label, probability: probabilities[label] })),
  );
}
