import type { AnswerOptions } from "./answer";

/*
 * Options of both stages of `train.answer`. Spread them and change what you like.
 */

/** LLaVA-1.5's first stage: 558 thousand captions once, effective batch 256. Reference: LLaVA scripts/v1_5/pretrain.sh. */
export const align: Readonly<AnswerOptions> = {
  stage: "align",
  epochs: 1,
  batchSize: 32,
  accumulate: 8,
  lr: 1e-3,
  minLr: 0,
  warmupEpochs: 0.03,
  weightDecay: 0,
};

/** LLaVA-1.5's second stage: 665 thousand conversations once, effective batch 128. Reference: LLaVA scripts/v1_5/finetune.sh. */
export const instruct: Readonly<AnswerOptions> = {
  ...align,
  stage: "instruct",
  batchSize: 16,
  lr: 2e-5,
};

/** For the toy language model and `data.toy.questions`; tried, not tuned. */
export const alignToy: Readonly<AnswerOptions> = {
  stage: "align",
  epochs: 4,
  batchSize: 32,
  lr: 2e-3,
  minLr: 0,
  warmupEpochs: 0.5,
  weightDecay: 0,
};

/** For the toy language model and `data.toy.questions`, after `alignToy`; tried, not tuned. */
export const instructToy: Readonly<AnswerOptions> = { ...alignToy, stage: "instruct", epochs: 8, lr: 1e-3 };
