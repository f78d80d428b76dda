/**
 * Drawn data, made from a seed.
 *
 * @module
 */
export {
  type Question,
  type QuestionOptions,
  type QuestionSample,
  QuestionSet,
  questions,
  type SceneFacts,
} from "./toy";
