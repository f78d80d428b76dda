import type { GraphNode } from "../ir";

/** `nodes` in their order, each of `helpers` right before the first node that needs it; unneeded ones are left out. */
export function inOrderOfNeed(nodes: readonly GraphNode[], helpers: readonly GraphNode[]): GraphNode[] {
  const makers = new Map<number, GraphNode>();
  for (const node of [...nodes, ...helpers]) for (const { id } of node.outputs) makers.set(id, node);
  const ordered = new Set<GraphNode>();
  const place = (node: GraphNode) => {
    if (ordered.has(node)) return;
    for (const id of node.inputs) {
      const maker = makers.get(id);
      if (maker) place(maker);
    }
    ordered.add(node);
  };
  for (const node of nodes) place(node);
  return [...ordered];
}
