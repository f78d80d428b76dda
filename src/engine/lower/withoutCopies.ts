import { sizeOf } from "../../core/hostTensor";
import type { Graph, GraphNode, GraphValue } from "../../graph/ir";
import { sameShape } from "../../graph/values";

/** The graph without nodes that nothing needs and without nodes that copy their operand as it is. */
export function withoutCopies(graph: Graph): Graph {
  const types = new Map<number, GraphValue>();
  for (const { value } of [...graph.inputs, ...graph.state, ...graph.constants]) types.set(value.id, value);
  for (const node of graph.nodes) for (const output of node.outputs) types.set(output.id, output);

  const sources = new Map<number, number>();
  const source = (id: number) => sources.get(id) ?? id;
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(source);
    if (isCopy(node, types.get(inputs[0]))) sources.set(node.outputs[0].id, inputs[0]);
    else nodes.push({ ...node, inputs });
  }
  const outputs = graph.outputs.map(({ name, id }) => ({ name, id: source(id) }));
  return { ...graph, nodes: neededNodes(nodes, outputs), outputs };
}

function isCopy({ op, outputs }: GraphNode, operand: GraphValue | undefined): boolean {
  if (!["Identity", "Cast", "Reshape", "Tile", "Transpose"].includes(op) || !operand) return false;
  const [result] = outputs;
  const same = sameShape(operand.shape, result.shape) && operand.dtype === result.dtype;
  return same && (op !== "Transpose" || sizeOf(result.shape) === Math.max(1, ...result.shape));
}

function neededNodes(nodes: readonly GraphNode[], outputs: Graph["outputs"]): GraphNode[] {
  const needed = new Set(outputs.map(({ id }) => id));
  const kept: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some(({ id }) => needed.has(id))) continue;
    for (const id of node.inputs) needed.add(id);
    kept.push(node);
  }
  return kept.reverse();
}
