import { callback, checkOptions, optionsOf, seed, whole } from "../core/options";
import { Rng } from "../core/rng";
import { tf } from "../core/tf";
import type { LlamaLanguageModel } from "../models/languageModel";
import { smoothedTargets, softTargetCrossEntropy } from "../nn/losses";
import { AdamW } from "../optim/adamw";
import { lossAndGradients } from "../optim/gradients";
import { pretrainRules } from "../optim/groups";
import { epochCount, positiveRate, rate, weightDecay } from "../optim/options";
import { scheduleFits, warmupCosine } from "../optim/schedule";
import { MOST } from "./options";

export interface LanguageModelTraining {
  steps: number;
  batchSize: number;
  /** Tokens per sequence. */
  length: number;
  lr: number;
  minLr: number;
  warmupSteps: number;
  weightDecay: number;
  seed: number;
  onStep?: (step: number, loss: number, lr: number) => void;
}

export const languageModelTraining = optionsOf<LanguageModelTraining>(
  {
    steps: epochCount,
    batchSize: whole(1, MOST),
    length: whole(1, MOST),
    lr: positiveRate,
    minLr: rate,
    warmupSteps: whole(0, 10_000_000),
    weightDecay,
    seed,
  },
  { onStep: callback() },
  ({ lr, minLr, steps, warmupSteps: warmup = 0 }) => [
    ...scheduleFits({ lr, minLr }),
    ...(steps !== undefined && warmup > steps ? [["warmupSteps", `at most steps (${steps})`] as const] : []),
  ],
);

/**
 * Trains a language model on bytes: next-byte cross entropy over random windows of `text`. For the toy block this
 * library ships; a LLaMA of billions of parameters is loaded, not trained here.
 */
export async function trainLanguageModel(
  model: LlamaLanguageModel,
  text: Uint8Array,
  options: LanguageModelTraining,
): Promise<void> {
  checkOptions("trainLanguageModel", languageModelTraining, options);
  const { steps, batchSize, length, seed, onStep } = options;
  const optimizer = new AdamW(model, pretrainRules(model, options.weightDecay), { betas: [0.9, 0.95] });
  const schedule = { lr: options.lr, minLr: options.minLr, warmupEpochs: options.warmupSteps, epochs: steps };
  for (let step = 0; step < steps; step++) {
    const windows = drawWindows(text, batchSize, length, new Rng(seed).fork("window", step));
    const lr = warmupCosine(schedule, step + 1);
    const { loss, gradients } = lossAndGradients(
      () => nextByteLoss(model, windows, length),
      optimizer.variables(),
    );
    optimizer.update(gradients, lr);
    tf.dispose([...gradients.values()]);
    onStep?.(step, (await loss.data())[0], lr);
    loss.dispose();
  }
  optimizer.dispose();
}

/** Mean next-byte cross entropy (nats per byte) over consecutive windows of a text, without gradients. */
export async function languageModelLoss(
  model: LlamaLanguageModel,
  text: Uint8Array,
  length: number,
): Promise<number> {
  const windows = Math.floor((text.length - 1) / length);
  let sum = 0;
  for (let i = 0; i < windows; i++) {
    const window = text.subarray(i * length, (i + 1) * length + 1);
    sum += tf.tidy(() => nextByteLoss(model, [window], length).dataSync()[0]);
    if (i % 8 === 0) await new Promise(setImmediate);
  }
  return sum / windows;
}

/** Windows [length + 1] each: inputs and, one further, targets. */
function drawWindows(text: Uint8Array, count: number, length: number, rng: Rng): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const start = rng.integer(text.length - length - 1);
    return text.subarray(start, start + length + 1);
  });
}

function nextByteLoss(model: LlamaLanguageModel, windows: readonly Uint8Array[], length: number): tf.Tensor {
  const { vocabulary } = model.config;
  const ids = Int32Array.from(windows.flatMap((w) => [...w.subarray(0, length)]));
  const labels = windows.flatMap((w) => [...w.subarray(1)]);
  const logits = model.forward(tf.tensor(ids, [windows.length, length], "int32"));
  const targets = tf.tensor(smoothedTargets(labels, vocabulary, 0), [labels.length, vocabulary]);
  return softTargetCrossEntropy(tf.reshape(logits, [-1, vocabulary]), targets);
}
