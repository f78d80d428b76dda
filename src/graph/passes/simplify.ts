import { sizeOf } from "../../core/hostTensor";
import type { Graph, GraphNode } from "../ir";
import { sameShape, uniformValue } from "../values";
import { Rewriter } from "./rewriter";

type Simplification = (node: GraphNode, rewriter: Rewriter) => number | GraphNode;

/**
 * Takes out what changes nothing: copies, casts to the same type, products by one and sums with zero, slices of
 * everything, transpositions back to where one started. Reshapes of reshapes become one; ExpandDims and sums over
 * axes of length one become Reshape.
 */
export function simplify(graph: Graph): Graph {
  return new Rewriter(graph).run((node, rewriter) => {
    const simpler = simplifications[node.op]?.(node, rewriter) ?? node;
    if (typeof simpler === "number") rewriter.replace(node.outputs[0].id, simpler);
    else rewriter.keep(simpler);
  });
}

const operand: Simplification = ({ inputs }) => inputs[0];

const cast: Simplification = (node, rewriter) =>
  rewriter.value(node.inputs[0]).dtype === node.outputs[0].dtype ? node.inputs[0] : node;

/** For ops that leave a tensor of the same shape as it is. */
const whole: Simplification = (node, rewriter) => {
  const untouched = sameShape(rewriter.value(node.inputs[0]).shape, node.outputs[0].shape);
  return untouched && node.inputs.length === 1 && node.outputs.length === 1 ? node.inputs[0] : node;
};

const reshape: Simplification = (node, rewriter) => {
  const [{ shape }] = node.outputs;
  const maker = rewriter.maker(node.inputs[0]);
  const source = maker?.op === "Reshape" ? maker.inputs[0] : node.inputs[0];
  if (sameShape(rewriter.value(source).shape, shape)) return source;
  return { ...node, op: "Reshape", inputs: [source], inputNames: ["x"], attributes: { shape: [...shape] } };
};

const transpose: Simplification = (node, rewriter) => {
  const maker = rewriter.maker(node.inputs[0]);
  const isSecond = maker?.op === "Transpose";
  const source = isSecond ? maker.inputs[0] : node.inputs[0];
  const own = node.attributes.perm as number[];
  const perm = isSecond ? own.map((axis) => (maker.attributes.perm as number[])[axis]) : own;
  if (perm.every((axis, i) => axis === i)) return source;
  return { ...node, inputs: [source], attributes: { perm } };
};

/** Reductions that have nothing to add up. */
const reduction: Simplification = (node, rewriter) => {
  const [x] = node.inputs;
  const [output] = node.outputs;
  const alike = rewriter.value(x).dtype === output.dtype;
  return alike && sizeOf(rewriter.value(x).shape) === sizeOf(output.shape) ? reshape(node, rewriter) : node;
};

/** An operation with a number that changes nothing; `sides` says on which side it may stand. */
function neutral(number: number, ...sides: number[]): Simplification {
  return (node, rewriter) => {
    for (const side of sides) {
      const other = node.inputs[1 - side];
      const constant = rewriter.constant(node.inputs[side]);
      const { shape, dtype } = rewriter.value(other);
      const fits = sameShape(shape, node.outputs[0].shape) && dtype === node.outputs[0].dtype;
      if (fits && constant && uniformValue(constant) === number) return other;
    }
    return node;
  };
}

const simplifications: Readonly<Record<string, Simplification>> = {
  Add: neutral(0, 0, 1),
  Cast: cast,
  Concat: whole,
  ExpandDims: reshape,
  Identity: operand,
  Max: reduction,
  Mean: reduction,
  Min: reduction,
  Multiply: neutral(1, 0, 1),
  PadV2: whole,
  RealDiv: neutral(1, 1),
  Reshape: reshape,
  Slice: whole,
  SplitV: whole,
  Sub: neutral(0, 1),
  Sum: reduction,
  Tile: whole,
  Transpose: transpose,
};
