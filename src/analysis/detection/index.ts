/**
 * Detection as COCO has it: annotations and results read and written, scores, errors by kind.
 *
 * @module
 */
export {
  CocoAnnotations,
  type CocoResult,
  readAnnotations as read,
  readResults,
  writeResults,
} from "../../data/coco";
export { DetectionErrors, type ErrorOptions, errorsByKind } from "./errors";
export { type EvaluationOptions, evaluate } from "./evaluate";
export {
  DetectorEvaluation,
  type DetectorEvaluationOptions,
  evaluateDetector,
} from "./evaluateDetector";
export { type CurveChoice, DetectionScores } from "./scores";
export { type OwnDetector, Table2, table2 } from "./table2";
