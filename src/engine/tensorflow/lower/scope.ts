import type { Graph, GraphDtype } from "../../../graph/ir";
import { Scope as AnyScope } from "../../lower";
import type { TfValue } from "./builder";
import type { TfOps } from "./ops";

/** How products of matrices with weights are computed. */
export type Products = "float32" | "bfloat16";

/** What each value of the traced graph became in TensorFlow. */
export class Scope extends AnyScope<TfValue, TfOps> {
  private readonly residents: ReadonlySet<number>;

  constructor(
    ops: TfOps,
    graph: Graph,
    readonly products: Products,
  ) {
    super(ops, graph);
    this.residents = new Set(graph.state.map(({ value }) => value.id));
  }

  /** Whether a value is state as it was before the run. */
  isResident(id: number): boolean {
    return this.residents.has(id);
  }

  /** A frozen weight stays in bfloat16. */
  protected override kept(value: TfValue, dtype: GraphDtype): TfValue {
    return value.dtype === "bfloat16" ? value : super.kept(value, dtype);
  }
}
