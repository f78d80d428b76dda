import type { Graph, GraphConstant, GraphDtype, GraphNode, GraphValue } from "../ir";
import { valuesOf } from "../summary";
import type { GraphData } from "../values";

/** A graph being rebuilt node by node. A pass keeps each node, keeps another in its place, or replaces its results. */
export class Rewriter {
  private readonly nodes: GraphNode[] = [];
  private readonly replaced = new Map<number, number>();
  private readonly values: Map<number, GraphValue>;
  private readonly constants: Map<number, GraphConstant>;
  private readonly makers = new Map<number, GraphNode>();
  private nextId: number;

  constructor(private readonly graph: Graph) {
    const values = valuesOf(graph);
    this.values = new Map(values.map((value) => [value.id, value]));
    this.constants = new Map(graph.constants.map((constant) => [constant.value.id, constant]));
    this.nextId = values.reduce((highest, { id }) => Math.max(highest, id), -1) + 1;
  }

  value(id: number): GraphValue {
    return this.values.get(id)!;
  }

  /** The constant behind an id, if it is one. */
  constant(id: number): GraphConstant | undefined {
    return this.constants.get(id);
  }

  /** The node, as rebuilt, that makes a value; undefined for inputs, state and constants. */
  maker(id: number): GraphNode | undefined {
    return this.makers.get(id);
  }

  /** Puts a node into the new graph; its results are those it had. */
  keep(node: GraphNode): void {
    this.nodes.push(node);
    for (const { id } of node.outputs) this.makers.set(id, node);
  }

  /** Every later use of `id` becomes one of `other`. */
  replace(id: number, other: number): void {
    this.replaced.set(id, other);
  }

  /** A new constant; gives back its id. */
  addConstant(shape: readonly number[], dtype: GraphDtype, data: GraphData): number {
    const value = { id: this.nextId++, shape: [...shape], dtype };
    this.values.set(value.id, value);
    this.constants.set(value.id, { value, data });
    return value.id;
  }

  /** Runs `visit` over all nodes, their operands already replaced, and gives back the new graph. */
  run(visit: (node: GraphNode, rewriter: Rewriter) => void): Graph {
    for (const node of this.graph.nodes) {
      const inputs = node.inputs.map((id) => this.resolve(id));
      visit(inputs.every((id, i) => id === node.inputs[i]) ? node : { ...node, inputs }, this);
    }
    return {
      ...this.graph,
      constants: [...this.constants.values()],
      nodes: this.nodes,
      outputs: this.graph.outputs.map(({ name, id }) => ({ name, id: this.resolve(id) })),
    };
  }

  private resolve(id: number): number {
    return this.replaced.get(id) ?? id;
  }
}
