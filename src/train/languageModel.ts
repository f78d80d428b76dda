import { LuvitError } from "../core/errors";
import { callback, checkOptions, optionsOf, seed, whole } from "../core/options";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import type { LlamaLanguageModel } from "../models/languageModel";
import { smoothedTargets, softTargetCrossEntropy } from "../nn/losses";
import { AdamW } from "../optim/adamw";
import { pretrainRules } from "../optim/groups";
import { epochCount, positiveRate, rate, weightDecay } from "../optim/options";
import { scheduleFits, warmupCosine } from "../optim/schedule";
import type { Feeds } from "./feeds";
import { MOST } from "./options";
import { Stepper } from "./stepper";

/** How a language model is trained, and on which engine. */
export interface LanguageModelTraining extends EngineOptions {
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
  { ...engineOptions.optional, onStep: callback() },
  ({ lr, minLr, steps, warmupSteps: warmup = 0 }) => [
    ...scheduleFits({ lr, minLr }),
    ...(steps !== undefined && warmup > steps ? [["warmupSteps", `at most steps (${steps})`] as const] : []),
  ],
);

/**
 * Trains a language model on bytes: next-byte cross entropy over random windows of `text`. For the toy block this
 * library ships; a LLaMA of billions of parameters is loaded, not trained here.
 * @throws LuvitError("bad-argument") when an option cannot be, or the text has no more bytes than `length` + 1.
 */
export async function trainLanguageModel(
  model: LlamaLanguageModel,
  text: Uint8Array,
  options: LanguageModelTraining,
): Promise<void> {
  checkOptions("trainLanguageModel", languageModelTraining, options);
  const { steps, batchSize, length, seed, onStep, lr, minLr, warmupSteps, weightDecay, ...engine } = options;
  checkText("trainLanguageModel", text, length + 2); // drawn windows do not reach the last byte
  const rules = pretrainRules(model, weightDecay);
  const optimizer = new AdamW(model, rules, { betas: [0.9, 0.95] });
  const schedule = { lr, minLr, warmupEpochs: warmupSteps, epochs: steps };
  const task = {
    name: "language model",
    model,
    rules,
    loss: (fed: Readonly<Record<string, Tensor>>) => nextByteLoss(model, fed),
  };
  const stepper = new Stepper({ task, optimizer, average: undefined, batches: 1 }, engine);
  try {
    for (let step = 0; step < steps; step++) {
      const windows = drawWindows(text, batchSize, length, new Rng(seed).fork("window", step));
      const rate = warmupCosine(schedule, step + 1);
      const loss = await stepper.step([windowFeeds(model, windows)], rate);
      onStep?.(step, loss, rate);
    }
    await stepper.sync();
  } finally {
    await stepper.dispose();
    optimizer.dispose();
  }
}

/**
 * Mean next-byte cross entropy (nats per byte) over consecutive windows of a text, without gradients.
 * @throws LuvitError("bad-argument") when the text has no more than `length` bytes.
 */
export async function languageModelLoss(
  model: LlamaLanguageModel,
  text: Uint8Array,
  length: number,
): Promise<number> {
  checkText("languageModelLoss", text, length + 1);
  const windows = Math.floor((text.length - 1) / length);
  let sum = 0;
  for (let i = 0; i < windows; i++) {
    const window = text.subarray(i * length, (i + 1) * length + 1);
    const { ids, targets } = windowFeeds(model, [window]);
    sum += tf.tidy(() => {
      const fed = {
        ids: tf.tensor(ids.data, [...ids.shape], "int32"),
        targets: tf.tensor(targets.data, [...targets.shape]),
      };
      return nextByteLoss(model, fed).dataSync()[0];
    });
    if (i % 8 === 0) await new Promise(setImmediate);
  }
  return sum / windows;
}

function checkText(where: string, { length }: Uint8Array, least: number): void {
  if (length >= least) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: text has ${length} bytes; one window takes ${least}: give more text, or a smaller length`,
  );
}

/** Windows [length + 1] each: inputs and, one further, targets. */
function drawWindows(text: Uint8Array, count: number, length: number, rng: Rng): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const start = rng.integer(text.length - length - 1);
    return text.subarray(start, start + length + 1);
  });
}

/** A batch of windows as operands: ids int32 [B, T], and one-hot targets [B T, V]. */
function windowFeeds({ config }: LlamaLanguageModel, windows: readonly Uint8Array[]): Feeds {
  const length = windows[0].length - 1;
  const labels = windows.flatMap((w) => [...w.subarray(1)]);
  const ids = Int32Array.from(windows.flatMap((w) => [...w.subarray(0, length)]));
  const targets = smoothedTargets(labels, config.vocabulary, 0);
  return {
    ids: { data: ids, shape: [windows.length, length], dtype: "int32" },
    targets: { data: targets, shape: [labels.length, config.vocabulary] },
  };
}

function nextByteLoss(model: LlamaLanguageModel, { ids, targets }: Readonly<Record<string, Tensor>>): Tensor {
  return softTargetCrossEntropy(tf.reshape(model.forward(ids), [-1, model.config.vocabulary]), targets);
}
