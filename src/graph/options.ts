import { shaped } from "../core/options";
import type { Graph } from "./ir";

/** A graph, as `trace` writes it down. */
export const graphField = shaped<Graph>("a graph, from graph.trace", "nodes", "inputs", "state", "outputs");
