/**
 * Pretraining, finetuning and evaluation: runs that stop, save and go on.
 *
 * @module
 */
export { drawDropPath } from "./dropPath";
export { Evaluation, evaluate } from "./evaluate";
export { type FinetuneOptions, finetune } from "./finetune";
export { trainLanguageModel } from "./languageModel";
export { openRun, SavedRun } from "./openRun";
export type { TrainOptions } from "./plan";
export { pretrain } from "./pretrain";
export { costOf } from "./recipeCost";
export { Run, type RunResult, type RunState, type StepRecord } from "./run";
export { isRunFolder, loadRunWeights } from "./runWeights";
