import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, either, list, optionsOf, text, whole } from "../core/options";
import { printable } from "../core/printable";
import type { Tensor } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { image as imageField, type RgbImage } from "../data/pixels";
import type { Classifier } from "../models/classifier";
import type { MaskedAutoencoder } from "../models/mae";
import type { Context } from "../nn/context";
import type { PatchGrid } from "../nn/positionEmbedding";
import { rowEntropy } from "./entropy";
import { type Body, forwardBatches, type MaskedOrPlain } from "./forwardBatches";
import { setOf } from "./givenImages";
import { encodingModel, type LookOptions, looking } from "./options";
import { expectLayers, tapPatterns } from "./patterns";
import { type QuantizedRows, quantizeRows } from "./quantizedRows";
import { rolloutThrough } from "./rollout";

/** The attention of one layer over one image; T tokens, the class token first, then the patches row by row. */
export interface LayerAttention {
  /** "blocks.11", "llama.layers.0". */
  readonly layer: string;
  /** H. */
  readonly heads: number;
  /** Where every token looks: [H × T] rows of T. */
  readonly pattern: QuantizedRows;
  /** What every token is made of after this layer, through all layers up to it: T rows of T. */
  readonly rollout: QuantizedRows;
  /** Entropy of every row of `pattern` before it was quantized, nats, [H × T]. */
  readonly entropy: Float32Array;
}

/** What `attentionMaps` found in one image. Prints as one line. */
export class AttentionMaps {
  constructor(
    readonly sample: MaskedOrPlain,
    /** Rows and columns of patches. */
    readonly grid: PatchGrid,
    /** In the order in which the model runs them. */
    readonly layers: readonly LayerAttention[],
  ) {}

  /** T: the patches and the class token. */
  get tokens(): number {
    return this.grid.rows * this.grid.columns + 1;
  }

  toString(): string {
    const layers = this.layers.map(({ layer, heads }) => `${layer} (${heads} heads)`).join(", ");
    const { rows, columns } = this.grid;
    return `AttentionMaps(${printable(this.sample.path)}, ${rows} × ${columns} patches: ${layers})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

export interface AttentionMapOptions extends LookOptions {
  /** Which layers, e.g. ["blocks.11"]; default every ViT block and every LLaMA block. */
  layers?: readonly string[];
  /** Which image of a set; default 0. */
  index?: number;
}

export const attentionMapOptions = optionsOf<AttentionMapOptions>(
  {},
  { ...looking, layers: list(text, 1), index: whole(0, 1_000_000_000) },
);

/**
 * Where a model looks in one image of a set, or in an image of any size, which is resized and cropped as for
 * evaluation (`data.wholeImages` keeps its shape): attention of every layer, head and token in a byte each, its entropy, and the rollout up to each layer.
 *
 * @throws LuvitError("bad-argument") for a layer the model does not have, naming those it has; "bad-dataset" for
 * an unreadable image.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const maps = await luvit.analysis.attentionMaps(model, images, { index: 3 });
 * console.log(maps.layers.map(({ layer, heads }) => `${layer}: ${heads} heads`));
 */
export async function attentionMaps(
  model: Classifier | MaskedAutoencoder,
  images: ImageDataset | RgbImage,
  options: AttentionMapOptions = {},
): Promise<AttentionMaps> {
  checkOptions("attentionMaps", encodingModel, model);
  checkOptions("attentionMaps", either(datasetField, imageField), images);
  checkOptions("attentionMaps", attentionMapOptions, options);
  const { layers, index = 0, ...engine } = options;
  const one = "load" in images ? images.subset([index]) : setOf([images], model.encoder.config.imageSize);
  const names: string[] = [];
  const body: Body = (images, { context }) => {
    const found = layerTensors(model, images, context);
    expectLayers("attentionMaps", layers, [...found.keys()]);
    names.splice(0, names.length, ...[...found.keys()].filter((name) => layers?.includes(name) ?? true));
    return Object.fromEntries(names.flatMap((name) => Object.entries(found.get(name)!)));
  };
  for await (const { samples, grid, results } of forwardBatches(model, one, body, {
    batchSize: 1,
    ...engine,
  })) {
    if (samples.length === 0) break;
    const tokens = grid.rows * grid.columns + 1;
    const made = names.map((layer) => layerAttention(layer, results, tokens));
    return new AttentionMaps(samples[0], grid, made);
  }
  const reason = "load" in images ? images.report.reason(images.path(index)) : undefined;
  const what = `attentionMaps: image ${index} cannot be read; choose another index`;
  throw new LuvitError("bad-dataset", reason === undefined ? what : `${what}\n  ${reason}`);
}

/** What is taken from every layer with attention, by the layer's name; the names of the results begin with it. */
function layerTensors(
  model: Classifier | MaskedAutoencoder,
  images: Tensor,
  context: Context,
): Map<string, Record<string, Tensor>> {
  const found = new Map<string, Record<string, Tensor>>();
  let rollout: Tensor | undefined;
  const tap = tapPatterns((layer, pattern) => {
    rollout = rolloutThrough(pattern, rollout);
    found.set(layer, {
      [`${layer}.pattern`]: pattern,
      [`${layer}.rollout`]: rollout,
      [`${layer}.entropy`]: rowEntropy(pattern),
    });
  });
  model.encoder.tokens(images, { ...context, tap });
  return found;
}

function layerAttention(
  layer: string,
  results: Readonly<Record<string, Float32Array>>,
  tokens: number,
): LayerAttention {
  const entropy = results[`${layer}.entropy`];
  return {
    layer,
    heads: entropy.length / tokens,
    pattern: quantizeRows(results[`${layer}.pattern`], tokens),
    rollout: quantizeRows(results[`${layer}.rollout`], tokens),
    entropy,
  };
}
