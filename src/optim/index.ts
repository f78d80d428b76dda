/**
 * AdamW, schedules, and which parameter gets which rate.
 *
 * @module
 */
export { AdamW, type AdamWOptions } from "./adamw";
export { accumulate, clipGradNorm, lossAndGradients } from "./gradients";
export { finetuneRules, type ParameterRules, pretrainRules } from "./groups";
export { epochCosine, rateAt, type Schedule, scaledRate, warmupCosine } from "./schedule";
