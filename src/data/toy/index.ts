/** The drawn toy set, and questions about drawings. */
export type { SceneFacts } from "./questionScene";
export { type QuestionOptions, type QuestionSample, QuestionSet, questions } from "./questionSet";
export type { Question } from "./questions";
export { toyClasses, writeToySet } from "./toySet";
