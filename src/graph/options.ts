import { callback, named, object, shaped } from "../core/options";
import type { Graph } from "./ir";

/** A graph, as `trace` writes it down. */
export const graphField = shaped<Graph>("a graph, from graph.trace", "nodes", "inputs", "state", "outputs");

/** What of a step can be told before it is traced. */
export const tracedParts = object(
  { inputs: named(shaped("an input { shape }", "shape")), body: callback("the function that computes it") },
  {},
);
