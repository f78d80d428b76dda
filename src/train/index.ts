export type { CompiledStepOptions } from "./compiledStepper";
export * from "./dropPath";
export * from "./evaluate";
export * from "./finetune";
export * from "./languageModel";
export type { RecipeNotes, RunPlan, TrainOptions } from "./plan";
export * from "./pretrain";
export * from "./recipeCost";
export { Run, type RunDriver, type RunResult, type RunState, type StepRecord } from "./run";
