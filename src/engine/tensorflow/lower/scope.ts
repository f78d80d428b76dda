import type { Graph, GraphNode } from "../../../graph/ir";
import { Scope as AnyScope } from "../../lower";
import type { TfValue } from "./builder";
import type { TfOps } from "./ops";

/** How products of matrices are computed, and kept. */
export type Products = "float32" | "bfloat16";

/**
 * What each value of the traced graph became in TensorFlow. What ops compute with in float32 is copied to it when
 * everything else they need is there, so that between the forward pass and its gradients nothing waits in more bits than
 * it has.
 */
export class Scope extends AnyScope<TfValue, TfOps> {
  private readonly residents: ReadonlySet<number>;

  constructor(ops: TfOps, graph: Graph, products: Products) {
    super(ops, graph, products);
    this.residents = new Set(graph.state.map(({ value }) => value.id));
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
}
