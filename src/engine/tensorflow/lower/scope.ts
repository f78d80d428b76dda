import { LuvitError } from "../../../core/errors";
import type { Graph, GraphNode, GraphValue } from "../../../graph/ir";
import { broadcastShapes } from "../../../graph/shapes/rule";
import { sameShape } from "../../../graph/values";
import type { TfValue } from "./builder";
import type { TfOps } from "./ops";

/** How products of matrices with weights are computed. */
export type Products = "float32" | "bfloat16";

/**
 * What each value of the traced graph became. A value may stand smaller than it is, as long as broadcasting gives the
 * whole: a uniform constant is one number, a tiled row one row.
 */
export class Scope {
  private readonly values = new Map<number, TfValue>();
  private readonly types = new Map<number, GraphValue>();
  private readonly producers = new Map<number, GraphNode>();
  private readonly residents: ReadonlySet<number>;

  constructor(
    readonly ops: TfOps,
    graph: Graph,
    readonly products: Products,
  ) {
    this.residents = new Set(graph.state.map(({ value }) => value.id));
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
  define(id: number, value: TfValue): void {
    const type = this.typeOf(id);
    if (!sameShape(broadcastShapes(value.shape, type.shape), type.shape)) {
      const producer = this.producers.get(id)?.op ?? "input";
      const message = `${producer}: made [${value.shape}] where the trace has [${type.shape}]`;
      throw new LuvitError("engine", message);
    }
    this.values.set(id, value.dtype === "bfloat16" ? value : this.ops.cast(value, type.dtype));
  }

  typeOf(id: number): GraphValue {
    return this.types.get(id)!;
  }

  /** Whether a value is state as it was before the run. */
  isResident(id: number): boolean {
    return this.residents.has(id);
  }

  /** As it is kept: a frozen weight perhaps in bfloat16. */
  stored(id: number): TfValue {
    return this.values.get(id)!;
  }

  /** As it stands, perhaps smaller than its shape: for ops that broadcast. */
  small(id: number): TfValue {
    return this.ops.cast(this.stored(id), this.typeOf(id).dtype);
  }

  /** In its whole shape. */
  whole(id: number): TfValue {
    return this.ops.expand(this.small(id), this.typeOf(id).shape);
  }
}
