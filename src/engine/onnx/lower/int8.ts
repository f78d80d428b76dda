import type { OnnxValue } from "./builder";
import type { OnnxOps } from "./ops";

/** A weight [out, in] in eight bits, as the model is fed it. */
export interface Int8Operand {
  /** int8 [out, in]. */
  readonly rows: OnnxValue;
  /** int8 [in, out]. */
  readonly columns: OnnxValue;
  /** [out]. */
  readonly scales: OnnxValue;
}

/** Zero of the unsigned bytes that rows are quantized to: 128 ± 127. */
const ZERO = 128;
const LARGEST = 127;
/** A row of zeros has this scale. */
const SMALLEST_SCALE = 1e-30;

/**
 * x Wᵀ, or x W if not `transposed`, in integers. The rows of x are quantized as they come, each with a scale of its own
 * (max|x of that row| / 127), so that one token with large features does not cost the others their digits. The second
 * product puts the weight's scales, which run along its inner axis, into x first, so that one set of integers serves both.
 */
export function int8Product(ops: OnnxOps, x: OnnxValue, weight: Int8Operand, transposed: boolean): OnnxValue {
  const one = ops.scalar(1);
  const { integers, scales } = quantizeRows(ops, transposed ? x : ops.mul(x, weight.scales));
  const factors = transposed ? weight.columns : weight.rows;
  const operands = [integers, factors, one, transposed ? weight.scales : one, ops.scalar(ZERO, "uint8")];
  const type = { shape: [x.shape[0], factors.shape[1]], dtype: "float32" as const };
  return ops.mul(ops.make("MatMulIntegerToFloat", operands, type, {}, "com.microsoft"), scales);
}

/** x [M, K] -> unsigned bytes [M, K] and scales [M, 1]. */
function quantizeRows(ops: OnnxOps, x: OnnxValue): { integers: OnnxValue; scales: OnnxValue } {
  const [count] = x.shape;
  const highest = ops.reduce("ReduceMax", x, [1], false);
  const lowest = ops.reduce("ReduceMin", x, [1], false);
  const largest = ops.binary("Max", highest, ops.unary("Neg", lowest));
  const atLeast = ops.binary("Max", ops.mul(largest, 1 / LARGEST), ops.scalar(SMALLEST_SCALE));
  // Largest and smallest pass over what is not a number; the sum does not.
  const scales = ops.add(atLeast, ops.mul(ops.reduce("ReduceSum", x, [1], false), 0));
  const zeros = ops.filled([count], ZERO, "uint8");
  const type = { shape: x.shape, dtype: "uint8" as const };
  const integers = ops.make("QuantizeLinear", [x, scales, zeros], type, { axis: 0 });
  return { integers, scales: ops.reshape(scales, [count, 1]) };
}
