import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import { type Context, inference } from "../../nn/context";
import { answerTo, asEnd, forAnswer, patchesAmong, readTokens, type Stage, stagesOf } from "../stages";
import { siteGradients } from "./gradients";

/**
 * What LeGrad differentiates. "model": the class's logit by the model's own pooling, norm and head. "all-tokens": the same
 * with the mean over all tokens, class token included. "clip": as the official code does for CLIP, the product of the
 * head's row with the L2-normalized norm of the mean over all tokens.
 */
export type LeGradScore = "model" | "all-tokens" | "clip";

/**
 * LeGrad of every layer: each layer's own score from its own output, differentiated with respect to the attention pattern
 * of the same layer; relu, mean over heads and over all queries, the class key dropped. images [B, 3, H, W], target
 * [B, K] with 1 at the class -> a map [B, P] per layer, and the logits of the whole model.
 * Reference: Bousselham et al. 2024 (arXiv 2404.03214); WalBouss/LeGrad legrad/wrapper.py.
 */
export function leGrad(
  model: Classifier,
  images: Tensor,
  target: (logits: Tensor) => Tensor,
  score: LeGradScore = "model",
  context: Context = inference,
): { layers: Map<string, Tensor>; logits: Tensor } {
  const seen = new Map<string, Tensor>();
  const tap = (name: string, value: Tensor) => void seen.set(name, value);
  const logits = model.forward(images, { ...context, ...forAnswer(model), tap });
  const classes = target(logits);
  const layers = new Map<string, Tensor>();
  for (const stage of stagesOf(model)) {
    const read = (x: Tensor) =>
      scoreOf(model, asEnd(model, stage.output, x, seen.get("fusion.in")), classes, score);
    layers.set(stage.layer, layerMap(stage, seen, read, model, score));
  }
  return { layers, logits };
}

function layerMap(
  stage: Stage,
  seen: ReadonlyMap<string, Tensor>,
  read: (x: Tensor) => Tensor,
  model: Classifier,
  score: LeGradScore,
): Tensor {
  const input = seen.get(stage.input)!;
  const queries = score === "model" ? forAnswer(model).lastQueries : undefined;
  const { gradients } = siteGradients(
    (context) => read(stage.run(input, context, queries)),
    (name) => name === stage.pattern,
  );
  const gradient = gradients.get(stage.pattern)!;
  // Queries that the score does not read have no gradient, and count.
  const keys = tf.div(tf.sum(tf.mean(tf.relu(gradient), 1), 1), gradient.shape[3]!);
  const patches = patchesAmong(model, keys.shape[1]!);
  return tf.slice(keys, [0, model.encoder.firstPatch], [keys.shape[0], patches]);
}

/** tokens [B, T, D], target [B, K] -> [B, K] or [B, D], to be summed. */
function scoreOf(model: Classifier, tokens: Tensor, target: Tensor, kind: LeGradScore): Tensor {
  if (kind === "model") return tf.mul(answerTo(model, tokens), target);
  const [batch, , dim] = tokens.shape as [number, number, number];
  const normed = tf.reshape(readTokens(model, tf.mean(tokens, 1, true)), [batch, dim]);
  if (kind === "all-tokens") return tf.mul(model.head.forward(normed), target);
  const length = tf.sqrt(tf.sum(tf.square(normed), 1, true));
  const rows = tf.matMul(target as tf.Tensor2D, model.head.weight.value as unknown as tf.Tensor2D);
  return tf.mul(tf.div(normed, length), rows);
}
