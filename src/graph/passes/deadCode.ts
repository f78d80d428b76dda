import type { Graph } from "../ir";

/** Leaves out nodes and constants that no output needs. Inputs and state stay: they are what callers feed. */
export function removeDeadCode(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ id }) => id));
  const nodes = [...graph.nodes].reverse();
  const alive = nodes.filter(({ inputs, outputs }) => {
    if (!outputs.some(({ id }) => needed.has(id))) return false;
    for (const id of inputs) needed.add(id);
    return true;
  });
  return {
    ...graph,
    nodes: alive.reverse(),
    constants: graph.constants.filter(({ value }) => needed.has(value.id)),
  };
}
