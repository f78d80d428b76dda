import type { Execute } from "./execute";
import type { CaseRunner } from "./harness";
import { Case } from "./roiCase";
import { inferenceChecks } from "./roiInference";
import { alignChecks, levelChecks, maskTargetChecks, pasteChecks, syntheticChecks } from "./roiParts";
import { trainingChecks } from "./roiTraining";

/** The `roi_heads` case: the second stage in training and at inference, and its parts alone. */
export const roiHeadsRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const one = new Case(folder, meta);
    return [
      ...(await trainingChecks(one, execute)),
      ...(await inferenceChecks(one, execute)),
      ...(await alignChecks(one, execute)),
      ...levelChecks(one),
      ...maskTargetChecks(one),
      ...pasteChecks(one),
      ...syntheticChecks(one),
    ];
  };
