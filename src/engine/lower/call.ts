import { LuvitError } from "../../core/errors";
import type { GraphNode } from "../../graph/ir";
import type { Ops, Value } from "./ops";
import type { Scope } from "./scope";

/** How one op of the trace is written for an engine: gives back its result, or all of them in order. */
export type Rule<C, V> = (call: C) => V | readonly V[];

export type Rules<C, V> = Readonly<Record<string, Rule<C, V>>>;

/** A call as rules see it that are the same for every engine. */
export type SharedCall<V extends Value> = Call<V, Ops<V>, Scope<V, Ops<V>>>;

/** Rules written once for all engines. */
export type SharedRules = Readonly<
  Record<string, <V extends Value>(call: SharedCall<V>) => V | readonly V[]>
>;

/** One node of the trace, as its rule sees it. */
export class Call<V extends Value, O extends Ops<V>, S extends Scope<V, O>> {
  readonly ops: O;

  constructor(
    readonly scope: S,
    readonly node: GraphNode,
  ) {
    this.ops = scope.ops;
  }

  /** Id of an operand by the kernel's name for it. */
  id(name: string): number {
    const place = this.node.inputNames.indexOf(name);
    if (place < 0) throw new LuvitError("engine", `${this.node.op}: the trace has no operand "${name}"`);
    return this.node.inputs[place];
  }

  /** An operand in its whole shape. */
  input(name: string): V {
    return this.scope.whole(this.id(name), this.node);
  }

  /** An operand for operators that broadcast. */
  small(name: string): V {
    return this.scope.small(this.id(name), this.node);
  }

  /** An operand in its whole shape, perhaps in a type of fewer bits: for ops that only move numbers. */
  moved(name: string): V {
    return this.scope.moved(this.id(name));
  }

  /** Every operand in its whole shape: the members of a list input. */
  inputs(): V[] {
    return this.node.inputs.map((id) => this.scope.whole(id, this.node));
  }

  attribute<Value>(name: string): Value {
    return this.node.attributes[name] as Value;
  }

  /** Shape of a result. */
  shape(result = 0): readonly number[] {
    return this.node.outputs[result].shape;
  }

  /** An axis that may count from the end. */
  axis(name: string, rank: number): number {
    const axis = this.attribute<number | undefined>(name) ?? 0;
    return axis < 0 ? axis + rank : axis;
  }

  /** Axes given as a number, a list or nothing, which means all. */
  axes(name: string, rank: number): number[] {
    const axes = this.attribute<number | number[] | null | undefined>(name);
    if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, axis) => axis);
    return [axes].flat().map((axis) => (axis < 0 ? axis + rank : axis));
  }

  /** @throws LuvitError: the op has a rule, but not for this use of it. */
  refuse(what: string): never {
    throw new LuvitError(
      "engine",
      `${this.node.op}: ${what} is not supported by the ${this.ops.engine} engine`,
    );
  }
}
