export type { GivenImages } from "../givenImages";
export { type FaithfulnessOptions, faithfulness } from "./faithfulness";
export { Faithfulness } from "./faithfulnessTable";
export type { LeGradScore } from "./legrad";
export type { MethodOptions, RelevanceMethod } from "./methods";
export { RelevanceMap, type RelevanceOptions, relevance, type TargetClass } from "./relevance";
