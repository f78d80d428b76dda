import type { OnnxNode } from "../model";

/**
 * The nodes in an order that makes onnxruntime run them as they were written. It sorts nodes anew, depth first from
 * those whose results no node takes, the last in the list first; a weight's gradient would wait for the gradients of
 * all layers before it, and hold their operands. So such nodes go to the end, the first of them last.
 */
export function inRunOrder(nodes: readonly OnnxNode[]): OnnxNode[] {
  const taken = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isTaken = ({ outputs }: OnnxNode) => outputs.some((name) => name !== "" && taken.has(name));
  const ends = nodes.filter((node) => !isTaken(node));
  return [...nodes.filter(isTaken), ...ends.reverse()];
}
