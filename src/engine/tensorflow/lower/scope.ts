import type { Graph, GraphNode, GraphValue } from "../../../graph/ir";
import { Scope as AnyScope } from "../../lower";
import type { TfValue } from "./builder";
import { halvedValues } from "./halved";
import type { TfOps } from "./ops";

/** How products of matrices are computed, and kept. */
export type Products = "float32" | "bfloat16";

/**
 * What each value of the traced graph became in TensorFlow. With products in bfloat16 their results stay in it, and so
 * does what only products take; other ops compute in float32, from a copy made when everything else they need is there,
 * so that between the forward pass and its gradients nothing waits in more bits than it has.
 */
export class Scope extends AnyScope<TfValue, TfOps> {
  private readonly residents: ReadonlySet<number>;
  private readonly halved: ReadonlySet<number>;

  constructor(
    ops: TfOps,
    graph: Graph,
    readonly products: Products,
  ) {
    super(ops, graph);
    this.residents = new Set(graph.state.map(({ value }) => value.id));
    this.halved = products === "bfloat16" ? halvedValues(graph) : new Set();
  }

  /** Whether a value is state as it was before the run. */
  isResident(id: number): boolean {
    return this.residents.has(id);
  }

  override small(id: number, use?: GraphNode): TfValue {
    const stored = this.stored(id);
    const others = use?.inputs.filter((other) => other !== id && this.producerOf(other)) ?? [];
    const after = others.map((other) => this.stored(other)).filter(({ number }) => number === undefined);
    return this.ops.cast(stored, this.typeOf(id).dtype, { after });
  }

  override moved(id: number): TfValue {
    return this.ops.expand(this.stored(id), this.typeOf(id).shape);
  }

  protected override kept(value: TfValue, type: GraphValue): TfValue {
    if (type.dtype !== "float32" || value.number !== undefined) return super.kept(value, type);
    if (value.dtype === "bfloat16") return value;
    return this.halved.has(type.id) ? this.ops.cast(value, "bfloat16") : super.kept(value, type);
  }
}
