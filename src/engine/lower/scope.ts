import { LuvitError } from "../../core/errors";
import type { Graph, GraphNode, GraphValue } from "../../graph/ir";
import { halvedValues } from "./halved";
import type { Ops, Value } from "./ops";

/** Element types in which a float32 of the trace may be kept. */
const shortTypes: ReadonlySet<string> = new Set(["bfloat16", "float16"]);

/**
 * What each value of the traced graph became. A value may stand smaller than it is, as long as broadcasting gives the
 * whole: a uniform constant is one number, a tiled row one row. With products in a type of 16 bits their results stay in
 * it, and so does what only products take; other ops compute in the type that the trace says.
 */
export class Scope<V extends Value, O extends Ops<V>> {
  private readonly values = new Map<number, V>();
  private readonly types = new Map<number, GraphValue>();
  private readonly producers = new Map<number, GraphNode>();
  private readonly halved: ReadonlySet<number>;

  constructor(
    readonly ops: O,
    graph: Graph,
    /** What products of matrices are computed in. */
    readonly products: V["dtype"] = "float32",
  ) {
    this.halved = products === "float32" ? new Set() : halvedValues(graph);
    for (const { value } of [...graph.inputs, ...graph.state, ...graph.constants])
      this.types.set(value.id, value);
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        this.types.set(output.id, output);
        this.producers.set(output.id, node);
      }
    }
  }

  /** Says what a value is; its element type is brought to what the trace says. */
  define(id: number, value: V): void {
    const type = this.typeOf(id);
    if (!broadcastsTo(value.shape, type.shape)) {
      const producer = this.producers.get(id)?.op ?? "input";
      const message = `${producer}: made [${value.shape}] where the trace has [${type.shape}]`;
      throw new LuvitError("engine", message);
    }
    this.values.set(id, this.kept(value, type));
  }

  typeOf(id: number): GraphValue {
    return this.types.get(id)!;
  }

  /** As it is kept: a frozen weight perhaps in a type of fewer bits. */
  stored(id: number): V {
    return this.values.get(id)!;
  }

  /** As it stands, perhaps smaller than its shape: for ops that broadcast. `use` is the node that takes it, if any. */
  small(id: number, _use?: GraphNode): V {
    return this.ops.cast(this.stored(id), this.typeOf(id).dtype);
  }

  /** In its whole shape. */
  whole(id: number, use?: GraphNode): V {
    return this.ops.expand(this.small(id, use), this.typeOf(id).shape);
  }

  /** In its whole shape and perhaps in a type of fewer bits: for products and for ops that only move numbers. */
  moved(id: number): V {
    return this.ops.expand(this.stored(id), this.typeOf(id).shape);
  }

  producerOf(id: number): GraphNode | undefined {
    return this.producers.get(id);
  }

  /** The form in which a value of the trace's type is kept. */
  private kept(value: V, { id, dtype }: GraphValue): V {
    if (dtype !== "float32" || value.number !== undefined) return this.ops.cast(value, dtype);
    if (shortTypes.has(value.dtype)) return value;
    return this.ops.cast(value, this.halved.has(id) ? this.products : dtype);
  }
}

/** Aligned at the last axes, every length is the whole's or one. */
function broadcastsTo(shape: readonly number[], whole: readonly number[]): boolean {
  const missing = whole.length - shape.length;
  return missing >= 0 && shape.every((length, i) => length === 1 || length === whole[i + missing]);
}
