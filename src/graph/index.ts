/**
 * A step in tfjs, written down as a graph without computing it.
 *
 * @module
 */
export { interpret } from "./interpret";
export type { Graph } from "./ir";
export { optimize } from "./passes";
export { type GraphSummary, summarize } from "./summary";
export { graphText } from "./text";
export { type TraceSpec, trace } from "./trace";
