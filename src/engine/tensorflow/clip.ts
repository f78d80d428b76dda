import { CLIP_EPS, OVERFLOW_SCALE } from "../clipGradNorm";
import type { TfValue } from "./lower/builder";
import type { TfOps } from "./lower/ops";

const FLOAT = { T: { type: "float32" } } as const;

/**
 * The gradients, the norm of all their numbers together no greater than `most`. Where their squares are more than single
 * precision holds, and only there, the norm is taken anew of smaller numbers.
 */
export function clipped(ops: TfOps, gradients: readonly TfValue[], most: number): readonly TfValue[] {
  if (gradients.length === 0) return gradients;
  const sum = sumOfSquares(ops, gradients);
  const fits = ops.make("IsFinite", [sum], { shape: [], dtype: "bool" }, { attributes: FLOAT });
  const ways = gradients.map((gradient) => ops.addNode("Switch", [gradient.name, fits.name], FLOAT));
  const smaller = gradients.map((gradient, i) =>
    ops.mul({ ...gradient, name: `${ways[i]}:0` }, OVERFLOW_SCALE),
  );
  const overflowed = shareOf(
    ops,
    sumOfSquares(ops, smaller),
    most * OVERFLOW_SCALE,
    CLIP_EPS * OVERFLOW_SCALE,
  );
  const sumThatFits = { ...sum, name: `${ops.addNode("Switch", [sum.name, fits.name], FLOAT)}:1` };
  const usual = shareOf(ops, sumThatFits, most, CLIP_EPS);
  const merge = ops.addNode("Merge", [usual.name, overflowed.name], { ...FLOAT, N: { integer: 2 } });
  const factor = ops.binary("Minimum", { ...sum, name: `${merge}:0` }, ops.scalar(1));
  return gradients.map((gradient) => ops.mul(gradient, factor));
}

function sumOfSquares(ops: TfOps, values: readonly TfValue[]): TfValue {
  return values
    .map((value) => ops.sum(ops.square(value), [...value.shape.keys()], false))
    .reduce((total, sum) => ops.add(total, sum));
}

/** most / (norm + eps). */
function shareOf(ops: TfOps, sum: TfValue, most: number, eps: number): TfValue {
  return ops.div(ops.scalar(most), ops.add(ops.sqrt(sum), eps));
}
