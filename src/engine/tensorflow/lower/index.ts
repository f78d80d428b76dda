import type { Graph } from "../../../graph/ir";
import { lowerNodes, refuseUnknownOps } from "../../lower";
import type { TfValue } from "./builder";
import type { TfOps } from "./ops";
import { rules } from "./rules";
import { type Products, Scope } from "./scope";

/**
 * Adds a traced graph to the TensorFlow graph under construction. `given` has what its inputs and state are there, by
 * name; gives back its outputs in their whole shapes, by name.
 *
 * @throws LuvitError("engine") naming the ops that have no rule.
 */
export function lowerGraph(
  ops: TfOps,
  graph: Graph,
  given: (name: string) => TfValue,
  products: Products,
): Map<string, TfValue> {
  refuseUnknownOps("tensorflow", graph, rules);
  const scope = new Scope(ops, graph, products);
  for (const { name, value } of [...graph.inputs, ...graph.state]) scope.define(value.id, given(name));
  lowerNodes(graph, scope, rules);
  return new Map(graph.outputs.map(({ name, id }) => [name, scope.whole(id)]));
}
