import { createHash } from "node:crypto";
import type { Graph, GraphConstant, GraphNode } from "../ir";
import { Rewriter } from "./rewriter";

/** Computes equal things once: constants of equal content, then nodes of equal op, operands and attributes. */
export function shareCommonSubexpressions(graph: Graph): Graph {
  const rewriter = new Rewriter(graph);
  const constants = new Map<string, number>();
  for (const constant of graph.constants) {
    const { id } = constant.value;
    const key = constantKey(constant);
    const first = constants.get(key);
    if (first === undefined) constants.set(key, id);
    else rewriter.replace(id, first);
  }
  const seen = new Map<string, GraphNode>();
  return rewriter.run((node) => {
    const key = nodeKey(node);
    const first = seen.get(key);
    if (!first) {
      seen.set(key, node);
      rewriter.keep(node);
      return;
    }
    for (const [i, { id }] of node.outputs.entries()) rewriter.replace(id, first.outputs[i].id);
  });
}

function nodeKey({ op, inputs, inputNames, attributes }: GraphNode): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([op, inputs, inputNames, sorted]);
}

function constantKey({ value, data }: GraphConstant): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content =
    bytes.length > 64 ? createHash("sha256").update(bytes).digest("hex") : bytes.toString("hex");
  return `${value.dtype}[${value.shape}] ${content}`;
}
