import { sizeOf } from "../../core/hostTensor";
import { onHost, type Tensor } from "../../core/tf";
import { constantTensor, runNode } from "../interpret";
import type { Graph, GraphConstant, GraphNode, GraphValue } from "../ir";
import { elementwiseRules } from "../shapes";
import { compactData, type GraphData, sameShape, typedArray, uniformValue } from "../values";
import { Rewriter } from "./rewriter";

/** Results of more numbers than this stay computed rather than written into the graph. */
const LARGEST_FOLDED = 1 << 16;

/** Ops whose results hold nothing but numbers of their operands. */
const movesOnly = new Set([
  ...[
    "Concat",
    "ExpandDims",
    "GatherV2",
    "Identity",
    "Pack",
    "Reshape",
    "Reverse",
    "Slice",
    "SplitV",
    "Tile",
  ],
  ...["Transpose", "Unpack"],
]);

/**
 * Works out what depends on constants alone. Uniform constants stay single numbers through everything that keeps them
 * uniform, and become scalars where broadcasting makes up for it. Other operations run on tfjs's current backend.
 */
export function foldConstants(graph: Graph): Graph {
  return new Rewriter(graph).run((node, rewriter) => {
    const made = createdNumber(node);
    if (made !== undefined) return putUniform(node, made, rewriter);
    const operands = node.inputs.map((id) => rewriter.constant(id));
    if (operands.every((operand) => operand !== undefined)) {
      if (foldNode(node, operands as GraphConstant[], rewriter)) return;
    }
    rewriter.keep(elementwiseRules[node.op] ? narrowUniforms(node, rewriter) : node);
  });
}

/** The number with which an op fills its result whatever its operands hold. */
function createdNumber({ op, attributes }: GraphNode): number | undefined {
  if (op === "Fill") return Number(attributes.value);
  if (op === "ZerosLike") return 0;
  return op === "OnesLike" ? 1 : undefined;
}

function putUniform(node: GraphNode, number: number, rewriter: Rewriter): void {
  for (const { id, shape, dtype } of node.outputs) {
    const data = typedArray(dtype, sizeOf(shape) === 0 ? [] : [number]);
    rewriter.replace(id, rewriter.addConstant(shape, dtype, data));
  }
}

/** Replaces a node of constants by its results if they are worth it; says whether it did. */
function foldNode(node: GraphNode, operands: readonly GraphConstant[], rewriter: Rewriter): boolean {
  const numbers = operands.map(uniformValue);
  const moved = movesOnly.has(node.op) ? numbers[0] : undefined;
  if (moved !== undefined && allMovedAre(moved, node.op, numbers)) {
    putUniform(node, moved, rewriter);
    return true;
  }
  const results = foldedData(node, operands, numbers);
  for (const [i, data] of (results ?? []).entries()) {
    const { id, shape, dtype } = node.outputs[i];
    rewriter.replace(id, rewriter.addConstant(shape, dtype, data));
  }
  return results !== undefined;
}

/** A look-up's indices may differ, its table may not; everything else moves all its operands. */
function allMovedAre(number: number, op: string, numbers: readonly (number | undefined)[]): boolean {
  return op === "GatherV2" || numbers.every((other) => Object.is(other, number));
}

function foldedData(
  node: GraphNode,
  operands: readonly GraphConstant[],
  numbers: readonly (number | undefined)[],
): GraphData[] | undefined {
  if (node.op === "Reshape") return [operands[0].data];
  const isUniform = elementwiseRules[node.op] && numbers.every((number) => number !== undefined);
  if (isUniform) return evaluate({ ...node, outputs: node.outputs.map(scalar) }, operands.map(asScalar));
  const size = node.outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return size <= LARGEST_FOLDED ? evaluate(node, operands) : undefined;
}

const scalar = (value: GraphValue): GraphValue => ({ ...value, shape: [] });
const asScalar = (constant: GraphConstant): GraphConstant => ({ ...constant, value: scalar(constant.value) });

function evaluate(node: GraphNode, operands: readonly GraphConstant[]): GraphData[] {
  return onHost(() => {
    const values = new Map<number, Tensor>(node.inputs.map((id, i) => [id, constantTensor(operands[i])]));
    runNode(node, values);
    return node.outputs.map(({ id, dtype }) => compactData(typedArray(dtype, values.get(id)!.dataSync())));
  });
}

/** Uniform operands of full size become scalars where another operand already has the result's shape. */
function narrowUniforms(node: GraphNode, rewriter: Rewriter): GraphNode {
  if (node.inputs.length !== 2) return node;
  const [{ shape }] = node.outputs;
  const fits = (id: number) => sameShape(rewriter.value(id).shape, shape);
  const inputs = node.inputs.map((id, side) => {
    const constant = rewriter.constant(id);
    const number = constant && uniformValue(constant);
    if (!constant || number === undefined || constant.value.shape.length === 0) return id;
    return fits(node.inputs[1 - side]) ? rewriter.addConstant([], constant.value.dtype, constant.data) : id;
  });
  return { ...node, inputs };
}
