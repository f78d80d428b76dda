import { LuvitError } from "../../../core/errors";
import type { Graph, GraphNode, GraphValue } from "../../../graph/ir";
import type { OnnxValue } from "./builder";
import { sameShape } from "./builder";
import type { Int8Operand } from "./int8";
import { broadcastShapes, type OnnxOps } from "./ops";

/**
 * What each value of the traced graph became. A value may stand smaller than it is, as long as broadcasting gives the
 * whole: a uniform constant is one number, a tiled row one row.
 */
export class Scope {
  private readonly values = new Map<number, OnnxValue>();
  private readonly types = new Map<number, GraphValue>();
  private readonly producers = new Map<number, GraphNode>();
  private readonly uses = new Map<number, number>();
  /** What one rule made on the way and another may use. */
  readonly notes = new Map<string, readonly OnnxValue[]>();
  /** Weights kept in eight bits, by id; they have no other value. */
  readonly int8 = new Map<number, Int8Operand>();

  constructor(
    readonly ops: OnnxOps,
    graph: Graph,
  ) {
    for (const node of graph.nodes) {
      for (const id of node.inputs) this.countUse(id);
      for (const output of node.outputs) {
        this.types.set(output.id, output);
        this.producers.set(output.id, node);
      }
    }
    for (const { id } of graph.outputs) this.countUse(id);
    for (const { value } of [...graph.inputs, ...graph.state, ...graph.constants]) {
      this.types.set(value.id, value);
    }
  }

  private countUse(id: number): void {
    this.uses.set(id, (this.uses.get(id) ?? 0) + 1);
  }

  /** Says what a value is; its element type is brought to what the trace says. */
  define(id: number, value: OnnxValue): void {
    const type = this.typeOf(id);
    if (!sameShape(broadcastShapes(value.shape, type.shape), type.shape)) {
      const producer = this.producers.get(id)?.op ?? "input";
      const message = `${producer}: made [${value.shape}] where the trace has [${type.shape}]`;
      throw new LuvitError("engine", message);
    }
    this.values.set(id, this.ops.cast(value, type.dtype));
  }

  typeOf(id: number): GraphValue {
    return this.types.get(id)!;
  }

  /** As it stands, perhaps smaller than its shape: for operators that broadcast. */
  small(id: number): OnnxValue {
    return this.values.get(id)!;
  }

  /** In its whole shape. */
  whole(id: number): OnnxValue {
    return this.ops.expand(this.small(id), this.typeOf(id).shape);
  }

  producerOf(id: number): GraphNode | undefined {
    return this.producers.get(id);
  }

  /** How many operands and results of the graph it is. */
  usesOf(id: number): number {
    return this.uses.get(id) ?? 0;
  }
}
