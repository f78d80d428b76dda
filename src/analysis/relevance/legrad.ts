import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import { type Context, inference } from "../../nn/context";
import { answerTo, asEnd, patchesAmong, readTokens, type Stage, stagesOf } from "../stages";

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
  const logits = model.forward(images, { ...context, tap: (name, value) => void seen.set(name, value) });
  const classes = target(logits);
  const layers = new Map<string, Tensor>();
  for (const stage of stagesOf(model)) {
    const read = (x: Tensor) =>
      scoreOf(model, asEnd(model, stage.output, x, seen.get("fusion.in")), classes, score);
    layers.set(stage.layer, layerMap(stage, seen, read, model));
  }
  return { layers, logits };
}

function layerMap(
  stage: Stage,
  seen: ReadonlyMap<string, Tensor>,
  read: (x: Tensor) => Tensor,
  model: Classifier,
): Tensor {
  const pattern = seen.get(stage.pattern)!;
  const through = (nudge: Tensor) => {
    const edit = (name: string, value: Tensor) => (name === stage.pattern ? tf.add(value, nudge) : value);
    return tf.sum(read(stage.run(seen.get(stage.input)!, { edit })));
  };
  const gradient = tf.grad(through)(tf.zeros(pattern.shape));
  const keys = tf.mean(tf.relu(gradient), [1, 2]);
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
