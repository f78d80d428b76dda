import { LuvitError } from "../core/errors";
import { checkOptions, oneOf, optionsOf, text } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { Classifier } from "../models/classifier";
import type { MaskedAutoencoder } from "../models/mae";
import { expectClassToken } from "../models/vit";
import type { Context } from "../nn/context";
import { type Body, forwardBatches } from "./forwardBatches";
import { batchSize, checkLooked, type LookOptions, looking } from "./options";
import { stackedRows } from "./stackedRows";
import { meanOfPatches } from "./stages";

/** Features of every image of a set, row by row; for nearest neighbors, linear probes, projections. */
export interface Features {
  /** [N, D], row-major. */
  values: Float32Array;
  /** D. */
  dim: number;
  /** [N]. */
  labels: Int32Array;
  /** Positions in the set, [N]; an unreadable image has no row. */
  indices: Int32Array;
  paths: string[];
}

export interface FeatureOptions extends LookOptions {
  /** Mean over the patch tokens after this block, e.g. "blocks.5"; default what the classifier's head sees. */
  layer?: string;
  /** What stands for an image: the mean over its patches, or the class token. Default what the model's head sees. */
  pool?: "patches" | "class";
  /** Default 16. */
  batchSize?: number;
}

export const featureOptions = optionsOf<FeatureOptions>(
  {},
  { ...looking, layer: text, pool: oneOf(["patches", "class"]), batchSize },
);

/**
 * Features of a classifier (default: what its head sees, after `fc_norm`) or of a pretrained encoder (mean over the
 * patch tokens at its end), of the whole images, nothing masked.
 *
 * @throws LuvitError("bad-argument") for a layer the model does not have, naming those it has.
 */
export async function extractFeatures(
  model: Classifier | MaskedAutoencoder,
  dataset: ImageDataset,
  options: FeatureOptions = {},
): Promise<Features> {
  checkLooked("extractFeatures", model, dataset);
  checkOptions("extractFeatures", featureOptions, options);
  const { layer, pool, batchSize = 16, ...engine } = options;
  const body: Body = (images, { context }) => {
    if (layer === undefined) return { features: atTheEnd(model, images, context, pool) };
    return { features: pooled(model, afterLayer(model, images, layer, context), pool) };
  };
  const rows: Float32Array[] = [];
  const [labels, indices, paths]: [number[], number[], string[]] = [[], [], []];
  for await (const { samples, size, results } of forwardBatches(model, dataset, body, {
    batchSize,
    anyTokens: true,
    ...engine,
  })) {
    for (const [i, { label, index, path }] of samples.entries()) {
      const width = results.features.length / size;
      rows.push(results.features.slice(i * width, (i + 1) * width));
      labels.push(label);
      indices.push(index);
      paths.push(path);
    }
  }
  return { ...stackedRows(rows), labels: Int32Array.from(labels), indices: Int32Array.from(indices), paths };
}

function atTheEnd(
  model: Classifier | MaskedAutoencoder,
  images: Tensor,
  context: Context,
  pool?: "patches" | "class",
): Tensor {
  if (pool || !(model instanceof Classifier))
    return pooled(model, model.encoder.tokens(images, context), pool);
  const seen = model.pool(images, context);
  return model.fc_norm ? model.fc_norm.forward(seen) : seen;
}

function afterLayer(
  { encoder }: Classifier | MaskedAutoencoder,
  images: Tensor,
  layer: string,
  context: Context,
): Tensor {
  const found: string[] = [];
  let tokens: Tensor | undefined;
  const tap = (name: string, value: Tensor) => {
    const block = /^(.*\.\d+)\.out$/.exec(name)?.[1];
    if (!block) return;
    found.push(block);
    if (block === layer) tokens = value;
  };
  encoder.tokens(images, { ...context, tap });
  if (tokens) return tokens;
  const message = `extractFeatures: no layer named ${layer}; this model has: ${found.join(", ")}`;
  throw new LuvitError("bad-argument", message);
}

/** tokens [B, T, D] -> [B, D]. */
function pooled(
  { encoder }: Classifier | MaskedAutoencoder,
  tokens: Tensor,
  pool: "patches" | "class" = "patches",
): Tensor {
  if (pool === "patches") return meanOfPatches({ encoder }, tokens);
  const [batch, , dim] = tokens.shape as [number, number, number];
  expectClassToken('extractFeatures: pool "class"', encoder.config);
  return tf.reshape(tf.slice(tokens, [0, 0, 0], [batch, 1, dim]), [batch, dim]);
}
