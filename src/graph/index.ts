export { interpret, type TensorsByName } from "./interpret";
export type * from "./ir";
export {
  foldConstants,
  type OptimiseOptions,
  optimise,
  recomputeBlocks,
  removeDeadCode,
  shareCommonSubexpressions,
  simplify,
} from "./passes";
export { inBlock } from "./scopes";
export { type GraphSummary, summarise, summaryText } from "./summary";
export { graphText } from "./text";
export { type InputSpec, type StateSpec, type TraceSpec, trace } from "./trace";
