import type { OnnxValue } from "../builder";
import type { OnnxOps } from "../ops";

/*
 * WGSL asks of sin and cos an error of at most 2^-11 on [-π, π] and nothing beyond, so they are computed here.
 * Reference: W3C, WebGPU Shading Language, "Floating point accuracy".
 */

/** π in three parts, the first two with so few bits that their products with small whole numbers are exact. */
const PI_PARTS = [3.140625, 9.67025756835937e-4, 6.2771141529083252e-7];

/** Taylor's coefficients of sin(r) / r in r², the highest first: 3e-9 of the result where |r| is at most π / 2. */
const SINE = [-1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1];

/** x - turns π. */
const reduced = (ops: OnnxOps, x: OnnxValue, turns: OnnxValue) =>
  PI_PARTS.reduce((rest, part) => ops.sub(rest, ops.mul(turns, part)), x);

/** (-1)^n sin(r) for r within π / 2 of zero. */
function signedSine(ops: OnnxOps, r: OnnxValue, n: OnnxValue): OnnxValue {
  const square = ops.square(r);
  const [first, ...others] = SINE;
  const polynomial = others.reduce((sum, c) => ops.add(ops.mul(sum, square), c), ops.scalar(first));
  const half = ops.mul(n, 0.5);
  const parity = ops.sub(half, ops.unary("Floor", half)); // 0 or a half
  return ops.mul(ops.mul(r, polynomial), ops.sub(ops.scalar(1), ops.mul(parity, 4)));
}

const nearest = (ops: OnnxOps, x: OnnxValue) => ops.unary("Floor", ops.add(x, 0.5));

export function sine(ops: OnnxOps, x: OnnxValue): OnnxValue {
  const n = nearest(ops, ops.mul(x, 1 / Math.PI));
  return signedSine(ops, reduced(ops, x, n), n);
}

/** cos(x) = -(-1)^n sin(x - (n + 1/2) π) with n = round(x / π - 1/2). */
export function cosine(ops: OnnxOps, x: OnnxValue): OnnxValue {
  const n = nearest(ops, ops.sub(ops.mul(x, 1 / Math.PI), 0.5));
  return ops.mul(signedSine(ops, reduced(ops, x, ops.add(n, 0.5)), n), -1);
}
