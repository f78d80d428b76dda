import { pyramidRunner } from "./detector";
import type { Execute } from "./execute";
import type { CaseRunner } from "./harness";
import { roiHeadsRunner } from "./roiHeads";
import { rpnRunner } from "./rpn";

/** Cases of the detector, for what they are to be computed with. */
export const detectorRunners = (execute: Execute): Record<string, CaseRunner> => ({
  simple_feature_pyramid: pyramidRunner(execute),
  rpn: rpnRunner(execute),
  roi_heads: roiHeadsRunner(execute),
});
