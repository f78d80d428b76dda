import { sizeOf } from "../../../core/hostTensor";
import type { GraphNode } from "../../../graph/ir";
import { broadcastShapes } from "../../../graph/shapes/rule";
import { sameShape } from "../../../graph/values";
import type { OnnxValue } from "./builder";
import { Call, type Rules } from "./call";
import { type Int8Operand, int8Product } from "./int8";
import type { OnnxOps, Operand } from "./ops";
import type { Scope } from "./scope";

interface Product {
  a: Operand;
  b: Operand;
  /** The product is multiplied by this. */
  alpha: number;
  /** Added to every row. */
  row?: OnnxValue;
}

/**
 * alpha a b + row for matrices, as one Gemm. A weight's gradient, dyᵀ x, has its first operand transposed beforehand: Gemm
 * would do it anew for every 128 columns of the result, which takes a quarter longer.
 */
function matrixProduct(ops: OnnxOps, { a: given, b, alpha, row }: Product): OnnxValue {
  const a = given.transposed ? { value: ops.transpose(given.value, [1, 0]), transposed: false } : given;
  const [rows] = a.value.shape;
  const columns = b.value.shape[b.transposed ? 0 : 1];
  const attributes = { transA: 0, transB: b.transposed ? 1 : 0, alpha: { float: alpha } };
  const operands = row ? [a.value, b.value, row] : [a.value, b.value];
  return ops.make("Gemm", operands, { shape: [rows, columns], dtype: a.value.dtype }, attributes);
}

/** alpha a b for stacks of matrices, whose leading axes broadcast. */
function stackedProduct(ops: OnnxOps, { a, b, alpha }: Product): OnnxValue {
  const [left, right] = [a.value.shape, b.value.shape];
  const rows = left.at(a.transposed ? -1 : -2)!;
  const columns = right.at(b.transposed ? -2 : -1)!;
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  const type = { shape: [...batch, rows, columns], dtype: a.value.dtype };
  if (!a.transposed && !b.transposed && alpha === 1) return ops.make("MatMul", [a.value, b.value], type);
  return ops.fusedProduct(a, b, alpha, type);
}

/** Whether a product is of two plain matrices, perhaps with leading axes of length 1, or rows times a matrix. */
function isMatrixProduct({ a, b }: Product): boolean {
  const stack = (x: Operand) => sizeOf(x.value.shape.slice(0, -2));
  return stack(b) === 1 && (stack(a) === 1 || !a.transposed);
}

function asMatrix(ops: OnnxOps, { value, transposed }: Operand): Operand {
  const [first, second] = value.shape.slice(-2);
  if (sizeOf(value.shape) === first * second)
    return { value: ops.reshape(value, [first, second]), transposed };
  return { value: ops.rows(value), transposed };
}

function lowerProduct(scope: Scope, node: GraphNode, factor: number, row?: OnnxValue): OnnxValue {
  const call = new Call(scope, node);
  const weight = scope.int8.get(call.id("b"));
  if (weight) return lowerInt8Product(call, weight, factor, row);
  const [left, right] = [unscaled(call, "a"), unscaled(call, "b")];
  const { ops } = call;
  const cast = (value: OnnxValue) => ops.cast(value, scope.products);
  const product: Product = {
    a: { value: cast(left.value), transposed: Boolean(call.attribute("transposeA")) },
    b: { value: cast(right.value), transposed: Boolean(call.attribute("transposeB")) },
    alpha: factor * left.factor * right.factor,
    row: row && cast(row),
  };
  if (!isMatrixProduct(product)) {
    const plain = stackedProduct(ops, product);
    return product.row ? ops.add(plain, product.row) : plain;
  }
  const matrices = { ...product, a: asMatrix(ops, product.a), b: asMatrix(ops, product.b) };
  return ops.reshape(matrixProduct(ops, matrices), call.shape());
}

function lowerInt8Product(call: Call, weight: Int8Operand, factor: number, row?: OnnxValue): OnnxValue {
  const { ops } = call;
  const product = int8Product(ops, call.input("a"), weight, Boolean(call.attribute("transposeB")));
  const scaled = ops.mul(product, factor);
  return row ? ops.add(scaled, row) : scaled;
}

/** An operand without the number it was multiplied by, which the product takes over at no cost. */
function unscaled(call: Call, name: string): { value: OnnxValue; factor: number } {
  const id = call.id(name);
  const producer = call.scope.producerOf(id);
  const scaled = producer?.op === "Multiply" ? uniformFactor(call.scope, producer) : undefined;
  return scaled
    ? { value: call.scope.moved(scaled.id), factor: scaled.factor }
    : { value: call.moved(name), factor: 1 };
}

/** Takes x * number apart; x has the shape of the result. */
function uniformFactor(scope: Scope, node: GraphNode): { id: number; factor: number } | undefined {
  const [a, b] = node.inputs;
  for (const [id, other] of [
    [a, b],
    [b, a],
  ]) {
    const factor = scope.small(other).number;
    const isWhole = sameShape(scope.typeOf(id).shape, node.outputs[0].shape);
    if (factor !== undefined && isWhole) return { id, factor };
  }
  return undefined;
}

/** The product behind an operand, if nothing else uses it. */
function soleProduct(scope: Scope, id: number): GraphNode | undefined {
  const producer = scope.producerOf(id);
  return producer?.op === "BatchMatMul" && scope.usesOf(id) === 1 ? producer : undefined;
}

/** (a b) * number as one product, if that is what a Multiply is. */
export function scaleOfMatMul(call: Call): OnnxValue | undefined {
  const scaled = uniformFactor(call.scope, call.node);
  const product = scaled && soleProduct(call.scope, scaled.id);
  return product && lowerProduct(call.scope, product, scaled.factor);
}

/** Products, and a row added to one: the linear layer as one Gemm. */
export const matmul: Rules = {
  BatchMatMul: (call) => lowerProduct(call.scope, call.node, 1),
  LuvitAddRow: (call) => {
    const product = soleProduct(call.scope, call.id("x"));
    return product
      ? lowerProduct(call.scope, product, 1, call.input("row"))
      : call.ops.add(call.small("x"), call.small("row"));
  },
  Einsum: (call) =>
    call.ops.make(
      "Einsum",
      call.inputs(),
      { shape: call.shape(), dtype: "float32" },
      {
        equation: call.attribute("equation"),
      },
    ),
};
