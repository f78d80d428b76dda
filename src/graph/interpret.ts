import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import type { Graph, GraphConstant, GraphInput, GraphNode, GraphValue } from "./ir";
import { graphField } from "./options";
import { LIST_INPUT } from "./recorder";
import { formatValue, sameShape, uniformValue } from "./values";

export type TensorsByName = Readonly<Record<string, Tensor>>;

/**
 * Runs a graph kernel by kernel on tfjs's current backend: the reference that other executors are compared with. Gives
 * back every output by name, for the caller to dispose; state is not changed, its new values are among the outputs.
 *
 * @throws LuvitError("bad-argument") for a feed that is missing or of another shape.
 */
export function interpret(
  graph: Graph,
  feeds: { inputs: TensorsByName; state?: TensorsByName },
): Record<string, Tensor> {
  checkOptions("interpret", graphField, graph);
  return tf.tidy(() => {
    const values = new Map<number, Tensor>();
    const fed = new Set<Tensor>();
    const feed = ({ name, value }: GraphInput, given: TensorsByName) => {
      const tensor = given[name];
      requireLike(graph, { name, value }, tensor);
      values.set(value.id, tensor);
      fed.add(tensor);
    };
    for (const input of graph.inputs) feed(input, feeds.inputs);
    for (const entry of graph.state) feed(entry, feeds.state ?? {});
    for (const constant of graph.constants) values.set(constant.value.id, constantTensor(constant));
    const left = countUses(graph);
    for (const node of graph.nodes) {
      runNode(node, values);
      for (const id of node.inputs) {
        const uses = left.get(id)! - 1;
        left.set(id, uses);
        const tensor = values.get(id)!;
        if (uses === 0 && !fed.has(tensor)) tensor.dispose();
      }
    }
    return Object.fromEntries(graph.outputs.map(({ name, id }) => [name, tf.clone(values.get(id)!)]));
  });
}

/** Runs one node whose operands are in `values`, and puts its results there. */
export function runNode(
  { op, inputs, inputNames, outputs, attributes }: GraphNode,
  values: Map<number, Tensor>,
): void {
  const operands = inputs.map((id) => values.get(id)!);
  const isList = inputNames[0] === LIST_INPUT;
  const named = isList ? operands : Object.fromEntries(inputNames.map((name, i) => [name, operands[i]]));
  const result = tf.engine().runKernel(op, named as never, attributes as never) as Tensor | Tensor[];
  for (const [i, tensor] of [result].flat().entries()) {
    requireShape(op, outputs[i], tensor);
    values.set(outputs[i].id, tensor);
  }
}

/** Holds the shape rules against what the kernels really give. */
function requireShape(op: string, value: GraphValue, { dtype, shape }: Tensor): void {
  if (dtype === value.dtype && sameShape(shape, value.shape)) return;
  const message = `interpret: ${op} gave ${dtype}[${shape.join(", ")}], the graph says ${formatValue(value)}`;
  throw new LuvitError("shape-mismatch", message);
}

/** A constant as a tensor on the current backend. */
export function constantTensor(constant: GraphConstant): Tensor {
  const { shape, dtype } = constant.value;
  const uniform = uniformValue(constant);
  if (uniform !== undefined) return tf.fill([...shape], uniform, dtype);
  return tf.tensor(constant.data, [...shape], dtype);
}

/** Times each value is read; outputs count, so that they are kept. */
function countUses({ nodes, outputs }: Graph): Map<number, number> {
  const uses = new Map<number, number>();
  for (const id of [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map((output) => output.id)]) {
    uses.set(id, (uses.get(id) ?? 0) + 1);
  }
  return uses;
}

function requireLike(graph: Graph, { name, value }: GraphInput, tensor: Tensor | undefined): void {
  if (tensor && tensor.dtype === value.dtype && sameShape(tensor.shape, value.shape)) return;
  const found = tensor ? `${tensor.dtype}[${tensor.shape.join(", ")}]` : "nothing";
  throw new LuvitError(
    "bad-argument",
    `graph "${graph.name}": "${name}" is ${found}, expected ${formatValue(value)}`,
  );
}
