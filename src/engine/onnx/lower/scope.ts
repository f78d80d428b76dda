import type { Graph } from "../../../graph/ir";
import { Scope as AnyScope } from "../../lower";
import type { OnnxValue } from "./builder";
import type { Int8Operand } from "./int8";
import type { OnnxOps } from "./ops";

/** How products of matrices are computed, and kept. */
export type Products = "float32" | "float16";

/** What each value of the traced graph became in ONNX. */
export class Scope extends AnyScope<OnnxValue, OnnxOps> {
  private readonly uses = new Map<number, number>();
  /** What one rule made on the way and another may use. */
  readonly notes = new Map<string, readonly OnnxValue[]>();
  /** Weights kept in eight bits, by id; they have no other value. */
  readonly int8 = new Map<number, Int8Operand>();

  constructor(ops: OnnxOps, graph: Graph, products: Products) {
    super(ops, graph, products);
    const used = [...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ id }) => id)];
    for (const id of used) this.uses.set(id, this.usesOf(id) + 1);
  }

  /** How many operands and results of the graph it is. */
  usesOf(id: number): number {
    return this.uses.get(id) ?? 0;
  }
}
