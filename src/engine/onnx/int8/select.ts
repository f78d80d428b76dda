import type { Graph, GraphNode } from "../../../graph/ir";
import { changedState } from "../../programs";

/** Weights with a shorter side (LoRA's, say) stay as they are: there is nothing to gain. */
const SHORTEST_SIDE = 32;

/**
 * State entries to keep in eight bits: matrices that no program changes, and whose every use is as the weight of a
 * product, x Wᵀ or (its gradient) dy W with rows x, dy.
 */
export function int8Entries(graphs: readonly Graph[]): Set<string> {
  const chosen = new Set<string>();
  const refused = new Set(graphs.flatMap(changedState));
  for (const graph of graphs) {
    const names = new Map(graph.state.map(({ name, value }) => [value.id, name]));
    const ranks = new Map(graph.nodes.flatMap(({ outputs }) => outputs).map((v) => [v.id, v.shape.length]));
    for (const { value } of graph.inputs) ranks.set(value.id, value.shape.length);
    for (const { name, value } of graph.state) if (!isLargeMatrix(value)) refused.add(name);
    for (const { id } of graph.outputs) if (names.has(id)) refused.add(names.get(id)!);
    for (const node of graph.nodes) {
      for (const [place, id] of node.inputs.entries()) {
        const name = names.get(id);
        if (name !== undefined) (isWeight(node, place, ranks) ? chosen : refused).add(name);
      }
    }
  }
  for (const name of refused) chosen.delete(name);
  return chosen;
}

function isLargeMatrix({ shape, dtype }: Graph["state"][number]["value"]): boolean {
  return dtype === "float32" && shape.length === 2 && Math.min(...shape) >= SHORTEST_SIDE;
}

function isWeight(
  { op, inputNames, inputs, attributes }: GraphNode,
  place: number,
  ranks: ReadonlyMap<number, number>,
): boolean {
  const isProduct = op === "BatchMatMul" && inputNames[place] === "b" && !attributes.transposeA;
  return isProduct && ranks.get(inputs[1 - place]) === 2;
}
