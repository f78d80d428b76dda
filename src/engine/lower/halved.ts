import type { Graph, GraphNode } from "../../graph/ir";

/** Ops that only move numbers, whatever their type. */
const moves = new Set([
  "LuvitAfter",
  "LuvitJoinQkv",
  "LuvitMergeHeads",
  "LuvitSplitHeads",
  "LuvitSplitQkv",
  "Reshape",
  "Transpose",
]);

/**
 * Values that lose nothing more when they are kept in a type of 16 bits, by id: every use of them is a product, which takes them
 * in it, or the sum over rows that a product's bias has for a gradient. Attention's weights are kept so too, for their
 * gradient as for the product. What adds up over layers, and what is given back, is not among them.
 */
export function halvedValues(graph: Graph): Set<number> {
  const halved = new Set<number>();
  const users = new Map<number, GraphNode[]>();
  for (const node of graph.nodes)
    for (const id of new Set(node.inputs)) users.set(id, [...(users.get(id) ?? []), node]);
  const given = new Set(graph.outputs.map(({ id }) => id));
  const movesHalved = ({ op, outputs }: GraphNode) =>
    moves.has(op) && outputs.every(({ id }) => halved.has(id));
  const multiplies = (node: GraphNode) => node.op === "BatchMatMul" || movesHalved(node);
  for (const { op, outputs } of [...graph.nodes].reverse()) {
    const allowed = new Set(["LuvitSumRows", ...(op === "Softmax" ? ["Multiply"] : [])]);
    for (const { id, dtype } of outputs) {
      const uses = users.get(id) ?? [];
      if (dtype !== "float32" || given.has(id) || !uses.some(multiplies)) continue;
      if (uses.every((use) => multiplies(use) || allowed.has(use.op))) halved.add(id);
    }
  }
  return halved;
}
