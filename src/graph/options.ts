import { callback, named, object, shaped, such } from "../core/options";
import type { Graph } from "./ir";

/** A graph, as `trace` writes it down. */
export const graphField = shaped<Graph>("a graph, from graph.trace", "nodes", "inputs", "state", "outputs");

const isLength = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;

const inputField = such<{ shape: readonly number[] }>(
  "an input { shape } of whole numbers from 0",
  (value) => {
    const { shape } = (value ?? {}) as { shape?: unknown };
    return Array.isArray(shape) && shape.every(isLength);
  },
);

/** What of a step can be told before it is traced. */
export const tracedParts = object(
  { inputs: named(inputField), body: callback("the function that computes it") },
  {},
);
