import { sizeOf } from "../core/hostTensor";
import { checkOptions } from "../core/options";
import type { Graph, GraphNode, GraphValue } from "./ir";
import { graphField } from "./options";

/** What a graph holds and costs. */
export interface GraphSummary {
  readonly nodes: number;
  /** Nodes by op, most frequent first. */
  readonly ops: Readonly<Record<string, number>>;
  /** Floating-point operations of matrix products, a multiply-add counted as two. */
  readonly matMulFlops: number;
  /** Bytes of state the graph changes (trained weights and their moments). */
  readonly trainedBytes: number;
  /** Bytes of state it only reads (frozen weights). */
  readonly frozenBytes: number;
  readonly constantBytes: number;
  /** Bytes of every intermediate result together. */
  readonly resultBytes: number;
  /** Bytes of results there at once when nodes run in order and what nobody needs any more is freed. */
  readonly peakBytes: number;
}

/** Counts nodes, values and parameters of a graph, and the operations of its matrix products. */
export function summarize(graph: Graph): GraphSummary {
  checkOptions("summarize", graphField, graph);
  const changed = new Set(graph.outputs.map(({ name }) => name));
  const entries = (trained: boolean) => graph.state.filter(({ name }) => changed.has(name) === trained);
  const shapes = new Map(valuesOf(graph).map((value) => [value.id, value.shape]));
  return {
    nodes: graph.nodes.length,
    ops: countOps(graph.nodes),
    matMulFlops: total(graph.nodes.map((node) => matMulFlops(node, shapes))),
    trainedBytes: total(entries(true).map(({ value }) => bytesOf(value))),
    frozenBytes: total(entries(false).map(({ value }) => bytesOf(value))),
    constantBytes: total(graph.constants.map(({ data }) => data.byteLength)),
    resultBytes: total(graph.nodes.flatMap(({ outputs }) => outputs.map(bytesOf))),
    peakBytes: peakBytes(graph),
  };
}

/** The summary on a few lines, for people. */
export function summaryText(graph: Graph): string {
  const summary = summarize(graph);
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const ops = Object.entries(summary.ops).map(([op, count]) => `${count} ${op}`);
  return [
    `graph "${graph.name}": ${summary.nodes} nodes, matrix products ${(summary.matMulFlops / 1e9).toFixed(2)} GFLOP`,
    `state ${megabytes(summary.trainedBytes)} trained, ${megabytes(summary.frozenBytes)} frozen; ` +
      `constants ${megabytes(summary.constantBytes)}; results ${megabytes(summary.resultBytes)}, ` +
      `${megabytes(summary.peakBytes)} of them at once`,
    ops.join(", "),
  ].join("\n");
}

/** Every value a graph defines. */
export function valuesOf({ inputs, state, constants, nodes }: Graph): GraphValue[] {
  const named = [...inputs, ...state, ...constants].map(({ value }) => value);
  return [...named, ...nodes.flatMap(({ outputs }) => outputs)];
}

function countOps(nodes: readonly GraphNode[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

function matMulFlops(node: GraphNode, shapes: Map<number, readonly number[]>): number {
  const { op, inputs, outputs, attributes } = node;
  if (op.startsWith("Conv2D")) return convolutionFlops(node, shapes);
  if (op !== "BatchMatMul") return 0;
  const inner = shapes.get(inputs[0])!.at(attributes.transposeA ? -2 : -1)!;
  return 2 * inner * sizeOf(outputs[0].shape);
}

/** A product for every place of the window, whichever of the three operands is the result. */
function convolutionFlops(
  { op, inputs, inputNames, outputs }: GraphNode,
  shapes: Map<number, readonly number[]>,
): number {
  const shapeOf = (name: string) => shapes.get(inputs[inputNames!.indexOf(name)])!;
  const filter = op === "Conv2DBackpropFilter" ? outputs[0].shape : shapeOf("filter");
  const places = op === "Conv2D" ? outputs[0].shape : shapeOf("dy");
  return 2 * sizeOf(filter) * sizeOf(places.slice(0, 3));
}

function peakBytes({ nodes, outputs }: Graph): number {
  const lastUse = new Map(nodes.flatMap(({ inputs }, i) => inputs.map((id) => [id, i] as const)));
  for (const { id } of outputs) lastUse.set(id, nodes.length);
  const freed = nodes.map(() => 0);
  let held = 0;
  let peak = 0;
  for (const [i, node] of nodes.entries()) {
    for (const value of node.outputs) {
      held += bytesOf(value);
      const last = lastUse.get(value.id) ?? i;
      if (last < nodes.length) freed[last] += bytesOf(value);
    }
    peak = Math.max(peak, held);
    held -= freed[i];
  }
  return peak;
}

function bytesOf({ shape, dtype }: GraphValue): number {
  return sizeOf(shape) * (dtype === "bool" ? 1 : 4);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
