/** The drawn toy set, larger sets of drawings, and questions about drawings. */
export {
  type Drawing,
  type DrawingFacts,
  type DrawingOptions,
  DrawingSet,
  type DrawnBackground,
  drawings,
} from "./drawingSet";
export type { SceneFacts } from "./questionScene";
export { type QuestionOptions, type QuestionSample, QuestionSet, questions } from "./questionSet";
export type { Question } from "./questions";
export { toyClasses, writeToySet } from "./toySet";
