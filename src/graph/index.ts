/**
 * A step in tfjs, written down as a graph without computing it.
 *
 * @module
 */
export { interpret } from "./interpret";
export type { Graph } from "./ir";
export { optimise } from "./passes";
export { type GraphSummary, summarise } from "./summary";
export { graphText } from "./text";
export { type TraceSpec, trace } from "./trace";
