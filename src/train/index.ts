/**
 * Pretraining, finetuning and evaluation: runs that stop, save and go on.
 *
 * @module
 */

export { type AnswerOptions, answer } from "./answer";
export * as answerRecipes from "./answerRecipes";
export { type AuxiliaryOptions, auxiliary, type ExitMatch } from "./auxiliary";
export { detect } from "./detection/detect";
export { type FoundObjects, ObjectFinder } from "./detection/finder";
export type { DetectOptions } from "./detection/options";

export { type DistillOptions, distill } from "./distill";
export { drawDropPath } from "./dropPath";
export { Evaluation, evaluate } from "./evaluate";
export { AnswerEvaluation, type EvaluateAnswersOptions, evaluateAnswers } from "./evaluateAnswers";
export type { FeatureMatch } from "./featureMatches";
export { type FinetuneOptions, finetune } from "./finetune";
export { trainLanguageModel } from "./languageModel";
export type { LogitMatch } from "./logitMatch";
export { openRun, SavedRun } from "./openRun";
export type { TrainOptions } from "./plan";
export { type PretrainOptions, pretrain } from "./pretrain";
export type { MaeTeaching } from "./pretrainTaught";
export type { QuestionDataset } from "./questions";
export { costOf } from "./recipeCost";
export { Run, type RunResult, type RunState, type StepRecord } from "./run";
export { isRunFolder, loadRunWeights } from "./runWeights";
export { type SegmentOptions, segment } from "./segment";
