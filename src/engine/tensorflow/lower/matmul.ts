import { sizeOf } from "../../../core/hostTensor";
import { broadcastShapes } from "../../../graph/shapes/rule";
import { activationAnew } from "./activations";
import type { TfValue } from "./builder";
import type { Call, Rules } from "./call";

interface Operand {
  value: TfValue;
  transposed: boolean;
  /** Kept between runs: a weight. */
  resident: boolean;
}

interface Product {
  a: Operand;
  b: Operand;
}

/** a b for matrices: in bfloat16 where the scope says so, summed in float32 either way, the result as the operands. */
function matrixProduct({ ops, scope }: Call, { a, b }: Product): TfValue {
  const rows = a.value.shape[a.transposed ? 1 : 0];
  const columns = b.value.shape[b.transposed ? 0 : 1];
  const dtype = scope.products;
  // A weight is brought to the products' type when the other operand is there, not at the start of the step, and again
  // for the gradients. The other operand's copy is what the gradients need, so it takes the place of the original.
  const operand = (own: Operand, other: Operand) =>
    ops.cast(own.value, dtype, { after: own.resident ? [other.value] : [] });
  const [left, right] = [operand(a, b), operand(b, a)];
  const attributes = {
    T: { type: dtype },
    transpose_a: { flag: a.transposed },
    transpose_b: { flag: b.transposed },
  };
  return ops.make("MatMul", [left, right], { shape: [rows, columns], dtype }, { attributes });
}

/** a b for stacks of matrices, whose leading axes broadcast. */
function stackedProduct({ ops, scope }: Call, product: Product): TfValue {
  const dtype = scope.products;
  const [a, b] = [product.a, product.b].map(({ value, transposed }) => ({
    value: ops.cast(value, dtype),
    transposed,
  }));
  const [left, right] = [a.value.shape, b.value.shape];
  const rows = left.at(a.transposed ? -1 : -2)!;
  const columns = right.at(b.transposed ? -2 : -1)!;
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  const attributes = {
    T: { type: dtype },
    adj_x: { flag: a.transposed },
    adj_y: { flag: b.transposed },
  } as const;
  const type = { shape: [...batch, rows, columns], dtype } as const;
  return ops.make("BatchMatMulV2", [a.value, b.value], type, { attributes });
}

/** Whether a product is of two plain matrices, perhaps with leading axes of length 1, or rows times a matrix. */
function isMatrixProduct({ a, b }: Product): boolean {
  const stack = (x: Operand) => sizeOf(x.value.shape.slice(0, -2));
  return stack(b) === 1 && (stack(a) === 1 || !a.transposed);
}

function asMatrix({ ops }: Call, operand: Operand): Operand {
  const { value } = operand;
  const [first, second] = value.shape.slice(-2);
  const isMatrix = sizeOf(value.shape) === first * second;
  return { ...operand, value: isMatrix ? ops.reshape(value, [first, second]) : ops.rows(value) };
}

function product(call: Call): TfValue {
  // The gradient of a weight is dyᵀ x: nothing but it waits for an activation x of the forward pass.
  const anew = (name: string, id: number) =>
    name === "b" && call.attribute("transposeA") ? activationAnew(call, id, call.id("a")) : undefined;
  const operand = (name: string, flag: string): Operand => {
    const id = call.id(name);
    const value = anew(name, id) ?? call.moved(name);
    const resident = call.scope.isResident(id);
    return { value, transposed: Boolean(call.attribute(flag)), resident };
  };
  const operands = { a: operand("a", "transposeA"), b: operand("b", "transposeB") };
  if (!isMatrixProduct(operands)) return stackedProduct(call, operands);
  const matrices = { a: asMatrix(call, operands.a), b: asMatrix(call, operands.b) };
  return call.ops.reshape(matrixProduct(call, matrices), call.shape());
}

function einsum(call: Call): TfValue {
  const operands = call.inputs();
  const attributes = {
    equation: { text: call.attribute<string>("equation") },
    N: { integer: operands.length },
    T: { type: "float32" },
  } as const;
  return call.ops.make("Einsum", operands, { shape: call.shape(), dtype: "float32" }, { attributes });
}

/** x [..., D] + row [D]; a row added to a product in bfloat16 is part of it. */
function addRow(call: Call): TfValue {
  const { ops } = call;
  const x = call.moved("x");
  return ops.addRow(x, ops.cast(call.input("row"), x.dtype, { after: [x] }));
}

/** Products, and a row added to one. */
export const matmul: Rules = {
  BatchMatMul: product,
  Einsum: einsum,
  LuvitAddRow: addRow,
};
