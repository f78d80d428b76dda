import { LuvitError } from "../../../core/errors";
import type { Graph, GraphConstant } from "../../../graph/ir";
import type { TfValue } from "./builder";
import { Call } from "./call";
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
  refuseUnknownOps(graph);
  const scope = new Scope(ops, graph, products);
  for (const { name, value } of [...graph.inputs, ...graph.state]) scope.define(value.id, given(name));
  for (const constant of graph.constants) scope.define(constant.value.id, lowerConstant(ops, constant));
  for (const node of graph.nodes) {
    const results = [rules[node.op](new Call(scope, node))].flat() as TfValue[];
    for (const [i, { id }] of node.outputs.entries()) scope.define(id, results[i]);
  }
  return new Map(graph.outputs.map(({ name, id }) => [name, scope.whole(id)]));
}

function refuseUnknownOps(graph: Graph): void {
  const unknown = [...new Set(graph.nodes.map(({ op }) => op).filter((op) => !Object.hasOwn(rules, op)))];
  if (unknown.length === 0) return;
  throw new LuvitError(
    "engine",
    `graph ${graph.name}: the tensorflow engine has no rule for ${unknown.sort().join(", ")}; run it eagerly or write the rule (src/engine/tensorflow/lower)`,
  );
}

/** A uniform constant becomes one number that broadcasts. */
function lowerConstant(ops: TfOps, { value, data }: GraphConstant): TfValue {
  const uniform = data.length > 0 && data.every((number) => Object.is(number, data[0]));
  return uniform ? ops.scalar(data[0], value.dtype) : ops.store(value.shape, value.dtype, data);
}
