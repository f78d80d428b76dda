import type { Graph, GraphNode, GraphOutput } from "../../graph/ir";

/** One AdamW update taken out of a graph. Names are those of state entries and of the graph's results. */
export interface AdamWUpdate {
  readonly parameter: string;
  readonly average: string;
  readonly squares: string;
  /** Result that holds the gradient. */
  readonly gradient: string;
  /** Input or result that holds (rate, 1 - beta1^t, 1 - beta2^t). */
  readonly schedule: string;
  readonly shape: readonly number[];
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** The parameter's rate is the scheduled rate times this. */
  readonly lrScale: number;
}

/** A graph that ends at the gradients, and the updates to do with them. */
export interface SplitGraph {
  readonly graph: Graph;
  readonly updates: readonly AdamWUpdate[];
}

/** Takes out every LuvitAdamW whose operands are state and whose results are the new state and nothing else. */
export function splitUpdates(graph: Graph): SplitGraph {
  const state = namesById(graph.state.map(({ name, value }) => ({ name, id: value.id })));
  const inputs = namesById(graph.inputs.map(({ name, value }) => ({ name, id: value.id })));
  const outputs = new Map(graph.outputs.map(({ name, id }) => [name, id]));
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  const updates: AdamWUpdate[] = [];
  const added: GraphOutput[] = [];
  const nodes = graph.nodes.filter((node) => {
    const names = updatedState(node, state, outputs, used);
    if (!names) return true;
    const [parameter, average, squares] = names;
    const gradient = `gradient of ${parameter}`;
    added.push({ name: gradient, id: operand(node, "gradient") });
    const scheduleId = operand(node, "schedule");
    const schedule = inputs.get(scheduleId) ?? `schedule ${scheduleId}`;
    if (!inputs.has(scheduleId) && !added.some(({ name }) => name === schedule)) {
      added.push({ name: schedule, id: scheduleId });
    }
    const rule = node.attributes as unknown as AdamWUpdate;
    const { shape } = node.outputs[0];
    updates.push({ ...rule, parameter, average, squares, gradient, schedule, shape });
    return false;
  });
  const taken = new Set(updates.flatMap(({ parameter, average, squares }) => [parameter, average, squares]));
  const kept = graph.outputs.filter(({ name }) => !taken.has(name));
  return { graph: { ...graph, nodes, outputs: [...kept, ...added] }, updates };
}

const namesById = (entries: readonly GraphOutput[]) => new Map(entries.map(({ name, id }) => [id, name]));

const operand = (node: GraphNode, name: string) => node.inputs[node.inputNames.indexOf(name)];

function updatedState(
  node: GraphNode,
  state: ReadonlyMap<number, string>,
  outputs: ReadonlyMap<string, number>,
  used: ReadonlySet<number>,
): string[] | undefined {
  if (node.op !== "LuvitAdamW" || node.outputs.some(({ id }) => used.has(id))) return undefined;
  const names = ["parameter", "average", "squares"].map((name) => state.get(operand(node, name)));
  const isUpdate = names.every((name, i) => name !== undefined && outputs.get(name) === node.outputs[i].id);
  return isUpdate ? (names as string[]) : undefined;
}
