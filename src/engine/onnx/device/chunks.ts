import { sizeOf } from "../../../core/hostTensor";
import type { Graph, GraphNode, GraphOutput, GraphValue } from "../../../graph/ir";
import type { AdamWUpdate, SplitGraph } from "../../adamw/splitUpdates";
import type { GradientGraph } from "../program";

/**
 * Updates with the same settings, done together: their gradients and moments lie one after the other in one array each, so
 * that a step of AdamW takes a dozen operators for a whole chunk instead of for every parameter.
 */
export interface Chunk {
  /** Result of the joined graph that holds the gradients. */
  readonly name: string;
  readonly updates: readonly AdamWUpdate[];
  /** Where each update's numbers begin. */
  readonly starts: readonly number[];
  /** Numbers in all. */
  readonly size: number;
}

/**
 * What a chunk's new state takes beside the old while it is made is some seven times this; more and smaller chunks cost a
 * run each. A larger parameter is a chunk of its own.
 */
const MOST_BYTES = 2 ** 25;

const settingsOf = ({ beta1, beta2, eps, weightDecay, lrScale, schedule }: AdamWUpdate) =>
  JSON.stringify([beta1, beta2, eps, weightDecay, lrScale, schedule]);

/** In the order of the updates, as many in one chunk as fit. */
export function chunksOf(updates: readonly AdamWUpdate[], mostBytes = MOST_BYTES): Chunk[] {
  const groups = new Map<string, AdamWUpdate[][]>();
  for (const update of updates) {
    const lists = groups.get(settingsOf(update)) ?? [[]];
    groups.set(settingsOf(update), lists);
    const bytes = 4 * [...lists.at(-1)!, update].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    if (bytes > mostBytes && lists.at(-1)!.length > 0) lists.push([]);
    lists.at(-1)!.push(update);
  }
  return [...groups.values()].flat().map(makeChunk);
}

function makeChunk(updates: readonly AdamWUpdate[], index: number): Chunk {
  const starts: number[] = [];
  let size = 0;
  for (const { shape } of updates) {
    starts.push(size);
    size += sizeOf(shape);
  }
  return { name: `gradients ${index}`, updates, starts, size };
}

/** The graph with one result for the gradients of each chunk in place of one for each parameter. */
export function joinGradients({ graph, updates }: SplitGraph, chunks: readonly Chunk[]): GradientGraph {
  const writer = new NodeWriter(graph);
  const apart = new Set(updates.map(({ gradient }) => gradient));
  const ids = new Map(graph.outputs.map(({ name, id }) => [name, id]));
  const joined = chunks.map((chunk): GraphOutput => {
    const rows = chunk.updates.map(({ gradient, shape }) =>
      writer.add("Reshape", [ids.get(gradient)!], "x", [sizeOf(shape)], { shape: [sizeOf(shape)] }),
    );
    return { name: chunk.name, id: writer.add("Concat", rows, "tensors", [chunk.size], { axis: 0 }) };
  });
  const outputs = [...graph.outputs.filter(({ name }) => !apart.has(name)), ...joined];
  const nodes = [...graph.nodes, ...writer.nodes];
  return { graph: { ...graph, nodes, outputs }, updates, gradients: chunks.map(({ name }) => name) };
}

/** Nodes behind those of a graph. */
class NodeWriter {
  readonly nodes: GraphNode[] = [];
  private next: number;

  constructor(graph: Graph) {
    const values = [...graph.inputs, ...graph.state, ...graph.constants].map(({ value }) => value);
    const results = graph.nodes.flatMap(({ outputs }) => outputs);
    this.next = [...values, ...results].reduce((most, { id }) => Math.max(most, id), -1) + 1;
  }

  /** One call with one float32 result; every operand has the same name. */
  add(
    op: string,
    inputs: readonly number[],
    operand: string,
    shape: readonly number[],
    attributes: GraphNode["attributes"],
  ): number {
    const result: GraphValue = { id: this.next++, shape, dtype: "float32" };
    const inputNames = inputs.map(() => operand);
    this.nodes.push({ op, inputs, inputNames, outputs: [result], attributes });
    return result.id;
  }
}
