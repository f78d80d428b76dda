import { LuvitError } from "../../core/errors";
import type { Graph, GraphConstant } from "../../graph/ir";
import { Call, type Rules } from "./call";
import type { Ops, Value } from "./ops";
import type { Scope } from "./scope";

/**
 * Writes a graph's constants and nodes into an engine's graph, in order. What the graph is fed has been defined before.
 */
export function lowerNodes<V extends Value, O extends Ops<V>, S extends Scope<V, O>>(
  graph: Graph,
  scope: S,
  rules: Rules<Call<V, O, S>, V>,
): void {
  for (const constant of graph.constants) scope.define(constant.value.id, lowerConstant(scope.ops, constant));
  for (const node of graph.nodes) {
    const results = [rules[node.op](new Call<V, O, S>(scope, node))].flat() as V[];
    for (const [i, { id }] of node.outputs.entries()) scope.define(id, results[i]);
  }
}

/** @throws LuvitError("engine") naming the ops that have no rule. */
export function refuseUnknownOps(
  engine: string,
  { name, nodes }: Graph,
  rules: Readonly<Record<string, unknown>>,
  advice = "run it eagerly or write the rule (src/engine/lower, or the engine's own folder of that name)",
): void {
  const unknown = [...new Set(nodes.map(({ op }) => op).filter((op) => !Object.hasOwn(rules, op)))];
  if (unknown.length === 0) return;
  throw new LuvitError(
    "engine",
    `graph ${name}: ${engine} has no rule for ${unknown.sort().join(", ")}; ${advice}`,
  );
}

/** A uniform constant becomes one number that broadcasts. */
function lowerConstant<V extends Value>(ops: Ops<V>, { value, data }: GraphConstant): V {
  const uniform = data.length > 0 && data.every((number) => Object.is(number, data[0]));
  return uniform ? ops.scalar(data[0], value.dtype) : ops.store(value.shape, value.dtype, data);
}
