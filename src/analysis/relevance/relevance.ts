import { inspect } from "node:util";
import {
  checkOptions,
  either,
  exactly,
  list,
  oneOf,
  optionsOf,
  shaped,
  shareBelowOne,
  text,
  whole,
} from "../../core/options";
import { printable } from "../../core/printable";
import { type Tensor, tf } from "../../core/tf";
import { type Classifier, classifierField } from "../../models/classifier";
import { expectLabel } from "../expectLabel";
import { forwardBatches, type MaskedOrPlain } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import { batchSize, type LookOptions, looking } from "../options";
import { softmaxOf } from "../softmax";
import type { MapSize } from "./display";
import {
  type Explainer,
  explainerOf,
  type ImageResults,
  type MethodOptions,
  type RelevanceMethod,
} from "./methods";

/** The class whose evidence is looked for: a number, the one the model answers, or the one the set says. */
export type TargetClass = number | "predicted" | "label";

/** How maps are made, and of which class. */
export interface RelevanceOptions extends LookOptions, MethodOptions {
  /** Default "chefer". */
  method?: RelevanceMethod;
  /** Default "predicted". */
  class?: TargetClass;
  /** Images at a time; default 4. */
  batchSize?: number;
}

export const methodOptions = optionsOf<MethodOptions>(
  {},
  {
    layers: list(text, 1),
    score: oneOf(["model", "all-tokens", "clip"]),
    heads: oneOf(["mean", "max", "min"]),
    gradient: oneOf(["aligned", "official"]),
    discard: shareBelowOne,
    normalize: oneOf(["row", "official"]),
  },
);

export const relevanceMethod = oneOf(["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"]);

const relevanceOptions = optionsOf<RelevanceOptions>(
  {},
  {
    ...looking,
    ...methodOptions.optional,
    method: relevanceMethod,
    class: either(whole(0, 1_000_000), either(exactly("predicted"), exactly("label"))),
    batchSize,
  },
);

/** Where the evidence for a class is in one image. Prints as one line. */
export class RelevanceMap {
  /** [P], row by row, as the method defines it. */
  readonly patches: Float32Array;

  constructor(
    readonly sample: MaskedOrPlain,
    readonly method: RelevanceMethod,
    /** The class that is explained. */
    readonly label: number,
    /** What the model gives it, 0…1. */
    readonly probability: number,
    /** Rows and columns of patches. */
    readonly grid: MapSize,
    /** Pixels. */
    readonly size: MapSize,
    private readonly explainer: Explainer,
    private readonly results: ImageResults,
  ) {
    checkOptions("RelevanceMap", shaped("a sample, from analysis.relevance", "image"), sample);
    checkOptions(
      "RelevanceMap",
      shaped("what explains it, from analysis.relevance", "patches", "pixels"),
      explainer,
    );
    this.patches = explainer.patches(results);
  }

  /** The map as the method's authors show it: enlarged to the image, [rows × columns], 0…1. */
  pixels(): Float32Array {
    return this.explainer.pixels(this.results, this.grid, this.size);
  }

  toString(): string {
    const percent = (100 * this.probability).toFixed(1);
    return `RelevanceMap(${printable(this.sample.path)}, ${this.method}, class ${this.label} at ${percent} %)`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Where a classifier sees a class: a map per image of a set, of an image of any size, or of several. Through every layer
 * with attention, the language model's block among them.
 *
 * "chefer": gradient times pattern, accumulated over layers. "legrad": gradients of every layer's own answer. "gradcam":
 * the last block's normed input, weighted. "rollout": attention alone, the same for every class. "gradient-rollout":
 * rollout of patterns weighted by gradients.
 *
 * @throws LuvitError("bad-argument") for a class or a layer the model does not have, or images without labels where
 * `class` is "label".
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const [map] = await luvit.analysis.relevance(model, images.subset([0]), { method: "legrad", class: 2 });
 * console.log(map.patches.length, map.pixels().length);
 */
export async function relevance(
  model: Classifier,
  images: GivenImages,
  options: RelevanceOptions = {},
): Promise<RelevanceMap[]> {
  checkOptions("relevance", classifierField, model);
  checkOptions("relevance", givenImages, images);
  checkOptions("relevance", relevanceOptions, options);
  const maps: RelevanceMap[] = [];
  for await (const map of relevanceMaps(model, images, options)) maps.push(map);
  return maps;
}

/** The same, one after another. */
export async function* relevanceMaps(
  model: Classifier,
  images: GivenImages,
  { method = "chefer", class: wanted = "predicted", batchSize = 4, ...rest }: RelevanceOptions,
): AsyncGenerator<RelevanceMap> {
  const { layers, score, heads, gradient, discard, normalize, ...engine } = rest;
  const { imageSize } = model.encoder.config;
  if (typeof wanted === "number") expectLabel("relevance: class", wanted, model.classes);
  const how = { layers, score, heads, gradient, discard, normalize };
  const explainer = explainerOf(model, method, how);
  const classOf = ({ label, path }: MaskedOrPlain) => {
    const named = wanted === "label" ? label : (wanted as number);
    expectLabel(`relevance: label of ${path}`, named, model.classes);
    return named;
  };
  const oneHot = (sample: MaskedOrPlain) =>
    Float32Array.from({ length: model.classes }, (_, k) => Number(k === classOf(sample)));
  const batches = forwardBatches(
    model,
    readable(images, imageSize),
    (fed, { beside, context }) => explainer.traced(fed, (logits) => beside ?? predicted(logits), context),
    {
      batchSize,
      anyTokens: true,
      keepAs: JSON.stringify(["relevance", method, how]),
      ...engine,
      ...(wanted !== "predicted" && { beside: { width: model.classes, of: oneHot } }),
    },
  );
  for await (const { samples, size, shape, grid, results } of batches) {
    for (const [i, sample] of samples.entries()) {
      const own = rowOf(results, i, size);
      const chances = softmaxOf(own.logits);
      const named = wanted === "predicted" ? own.logits.indexOf(Math.max(...own.logits)) : classOf(sample);
      const pixels = { rows: shape.height, columns: shape.width };
      yield new RelevanceMap(sample, method, named, chances[named], grid, pixels, explainer, own);
    }
  }
}

/** logits [B, K] -> [B, K], 1 at the largest. */
export function predicted(logits: Tensor): Tensor {
  return tf.cast(tf.oneHot(tf.argMax(logits, 1) as tf.Tensor1D, logits.shape[1]!), "float32");
}

function rowOf(results: Readonly<Record<string, Float32Array>>, row: number, size: number): ImageResults {
  return Object.fromEntries(
    Object.entries(results).map(([name, values]) => {
      const width = values.length / size;
      return [name, values.slice(row * width, (row + 1) * width)];
    }),
  );
}
