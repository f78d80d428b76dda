import { pyramidRunner } from "./detector";
import type { Execute } from "./execute";
import type { CaseRunner } from "./harness";
import { maskRcnnRunner } from "./maskRcnn";
import { roiHeadsRunner } from "./roiHeads";
import { rpnRunner } from "./rpn";
import { backboneRunner, luvitBackboneRunner } from "./vitDet";

/** Cases of the detector, for what they are to be computed with. */
export const detectorRunners = (execute: Execute): Record<string, CaseRunner> => ({
  simple_feature_pyramid: pyramidRunner(execute),
  rpn: rpnRunner(execute),
  roi_heads: roiHeadsRunner(execute),
  vitdet_backbone: backboneRunner(execute),
  vitdet_luvit_backbone: luvitBackboneRunner(execute),
  mask_rcnn_end_to_end: maskRcnnRunner(execute),
});
