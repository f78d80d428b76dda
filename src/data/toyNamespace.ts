/**
 * Drawn data, made from a seed.
 *
 * @module
 */
export {
  type Drawing,
  type DrawingFacts,
  type DrawingOptions,
  DrawingSet,
  type DrawnBackground,
  drawings,
  type Question,
  type QuestionOptions,
  type QuestionSample,
  QuestionSet,
  questions,
  type SceneFacts,
} from "./toy";
