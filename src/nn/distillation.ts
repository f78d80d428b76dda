import { checkOptions, entry, number, oneOf, optionsOf } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";
import { crossEntropy } from "./ops/crossEntropy";
import { epsilon } from "./options";

/** By what the sum over a batch is divided: by its images, or (DeiT's code) by images times classes. */
export type Reduction = "batch" | "deit";

/** How probabilities of a student and a teacher are compared. */
export interface SoftTargetOptions {
  /** Logits are divided by it, and the loss multiplied by its square; default 1. */
  temperature?: number;
  /** Default "batch". */
  reduction?: Reduction;
}

const temperature = entry(number(0, 1e6, true), "that logits are divided by", 1);
const reduction = entry(
  oneOf(["batch", "deit"]),
  "the sum over a batch divided by its images, or by images times classes as DeiT's code has it",
  "batch",
);

export const softTargetOptions = optionsOf<SoftTargetOptions>({}, { temperature, reduction });

/** How far tokens of a student are from a teacher's. */
export type FeatureDistance = "cosine" | "mse" | "smoothL1" | "l1";

/** What is done to tokens first: nothing; LayerNorm of the teacher's, without scale and shift; both at length 1. */
export type FeatureNorm = "none" | "layer" | "unit";

/** How tokens of a student and a teacher are compared. */
export interface FeatureLossOptions {
  /** Default "cosine". */
  loss?: FeatureDistance;
  /** Default "none". */
  normalize?: FeatureNorm;
  /** Where smooth L1 turns from squares to differences; default 1. */
  beta?: number;
  /** Of the LayerNorm; default 1e-6. */
  eps?: number;
}

export const featureDistance = entry(
  oneOf(["cosine", "mse", "smoothL1", "l1"]),
  "how far tokens are from the teacher's",
  "cosine",
);
export const featureNorm = entry(
  oneOf(["none", "layer", "unit"]),
  "first: nothing, LayerNorm of the teacher's tokens, or all tokens at length 1",
  "none",
);

export const featureLossOptions = optionsOf<FeatureLossOptions>(
  {},
  { loss: featureDistance, normalize: featureNorm, beta: number(0, 1e6, true), eps: epsilon },
);

/** x as it is, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  checkOptions("stopGradient", tensorField, x);
  return tf.customGrad((value) => ({
    value: tf.clone(value as Tensor),
    gradFunc: (dy) => tf.zerosLike(dy as Tensor),
  }))(x);
}

/**
 * T² KL(teacher || student) of probabilities at temperature T: logits [B, K] -> scalar. No gradient reaches the teacher.
 * Reference: deit/losses.py ("deit"); torch's kl_div with "batchmean" ("batch").
 */
export function softTargetDistance(
  student: Tensor,
  teacher: Tensor,
  options: SoftTargetOptions = {},
): Tensor {
  for (const one of [student, teacher]) checkOptions("softTargetDistance", tensorField, one);
  checkOptions("softTargetDistance", softTargetOptions, options);
  const { temperature = 1, reduction = "batch" } = options;
  const wanted = tf.logSoftmax(tf.div(stopGradient(teacher), temperature));
  const given = tf.logSoftmax(tf.div(student, temperature));
  const rows = tf.sum(tf.mul(tf.exp(wanted), tf.sub(wanted, given)), -1);
  const divisor = reduction === "deit" ? student.shape.at(-1)! : 1;
  return tf.mul(tf.mean(rows), temperature ** 2 / divisor);
}

/**
 * Cross entropy of the student with the class that the teacher finds likeliest: logits [B, K] -> scalar.
 * Reference: deit/losses.py, "hard".
 */
export function hardTargetDistance(student: Tensor, teacher: Tensor): Tensor {
  for (const one of [student, teacher]) checkOptions("hardTargetDistance", tensorField, one);
  const likeliest = tf.argMax(stopGradient(teacher), -1);
  // Asked for float32, the wasm kernel writes the bits of whole numbers.
  const targets = tf.oneHot(likeliest as tf.Tensor1D, student.shape.at(-1)!);
  return crossEntropy(student, tf.cast(targets, "float32"));
}

/**
 * How far a student's tokens are from a teacher's of the same width, averaged over tokens ("cosine": 1 - cos) or over
 * all their numbers: [..., D] -> scalar. No gradient reaches the teacher.
 * Reference: torch's cosine_similarity, mse_loss, smooth_l1_loss; DMAE's models_mae_distill.py ("unit").
 */
export function featureLoss(student: Tensor, teacher: Tensor, options: FeatureLossOptions = {}): Tensor {
  for (const one of [student, teacher]) checkOptions("featureLoss", tensorField, one);
  checkOptions("featureLoss", featureLossOptions, options);
  const { loss = "cosine", normalize = "none", beta = 1, eps = 1e-6 } = options;
  const isUnit = normalize === "unit";
  const target = stopGradient(teacher);
  const given = isUnit ? unit(student, 1e-12) : student;
  const wanted = isUnit ? unit(target, 1e-12) : normalize === "layer" ? plainLayerNorm(target, eps) : target;
  if (loss === "cosine") {
    const cosines = tf.sum(tf.mul(unit(given, 1e-8), unit(wanted, 1e-8)), -1);
    return tf.mean(tf.sub(1, cosines));
  }
  const difference = tf.sub(given, wanted);
  if (loss === "mse") return tf.mean(tf.square(difference));
  const size = magnitude(difference);
  return tf.mean(loss === "l1" ? size : smoothed(size, beta));
}

/** |d|, whose slope at 0 is 0 as in torch; tfjs has -1 there. */
function magnitude(difference: Tensor): Tensor {
  return tf.mul(difference, stopGradient(tf.sign(difference)));
}

/** |d| -> 0.5 d² / beta below beta, |d| - 0.5 beta from there. */
function smoothed(size: Tensor, beta: number): Tensor {
  const small = tf.minimum(size, beta);
  return tf.add(tf.mul(tf.square(small), 0.5 / beta), tf.sub(size, small));
}

/** Tokens at length 1; a length below `least` counts as that. */
function unit(x: Tensor, least: number): Tensor {
  const squares = tf.maximum(tf.sum(tf.square(x), -1, true), least ** 2);
  return tf.mul(x, tf.rsqrt(squares));
}

function plainLayerNorm(x: Tensor, eps: number): Tensor {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  return tf.mul(centered, tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), eps)));
}
