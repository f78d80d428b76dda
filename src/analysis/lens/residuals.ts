import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { Context } from "../../nn/context";
import { patchesAmong } from "../stages";
import { isLensSite } from "./lens";

/** The residual stream by place. */
export function residuals(model: Classifier, images: Tensor, context: Context): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  const tap = (name: string, value: Tensor) => {
    if (isLensSite(name)) found.set(name, value);
  };
  model.forward(images, { ...context, tap });
  return found;
}

/** tokens [B, T, D] -> [B, D]. */
export function meanOfPatches(model: Classifier, tokens: Tensor): Tensor {
  const [batch, count, dim] = tokens.shape as [number, number, number];
  const patches = patchesAmong(model, count);
  return tf.mean(tf.slice(tokens, [0, model.encoder.firstPatch, 0], [batch, patches, dim]), 1);
}
