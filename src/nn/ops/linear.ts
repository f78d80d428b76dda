import { checkOptions } from "../../core/options";
import { type Tensor, tensorField, tf } from "../../core/tf";
import { defineOp } from "./defineOp";

/**
 * y = x Wᵀ + b over the last axis. x [..., in], weight [out, in], bias [out] -> [..., out].
 * Weights keep PyTorch's layout; the product runs on rows flattened to two dimensions, for which tfjs's gradient is right.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  checkOptions("linear", tensorField, x);
  checkOptions("linear", tensorField, weight);
  const inputs = weight.shape[1]!;
  const rows = tf.reshape(x, [-1, inputs]);
  const product = tf.matMul(rows as tf.Tensor2D, weight as tf.Tensor2D, false, true);
  const shifted = bias ? addRow(product, bias) : product;
  return tf.reshape(shifted, [...x.shape.slice(0, -1), weight.shape[0]]);
}

/**
 * y of each head by its own rows of the weight: x [P, H, in], weight [G C, in], bias [G C] -> [P, H, C], head h with group
 * floor(h G / H); what `linear` gives of the other groups is not computed.
 */
export function linearByGroup(x: Tensor, weight: Tensor, groups: number, bias?: Tensor): Tensor {
  const [channels, inputs] = [weight.shape[0] / groups, weight.shape[1]!];
  const rows = tf.reshape(weight, [groups, channels, inputs]);
  return byGroup(x, groups, (own) => {
    const product = tf.matMul(own, rows, false, true);
    return bias ? tf.add(product, tf.reshape(bias, [groups, 1, channels])) : product;
  });
}

/** The way back: y [P, H, C], weight [G C, in] -> [P, H, in], Wᵀ y of each head by its own rows. */
export function transposedByGroup(y: Tensor, weight: Tensor, groups: number): Tensor {
  const [channels, inputs] = [weight.shape[0] / groups, weight.shape[1]!];
  const rows = tf.reshape(weight, [groups, channels, inputs]);
  return byGroup(y, groups, (own) => tf.matMul(own, rows));
}

/** x [P, H, I] as stacks [G, P H/G, I] to `product` and back. */
function byGroup(x: Tensor, groups: number, product: (own: Tensor) => Tensor): Tensor {
  const [passes, heads, inputs] = x.shape as [number, number, number];
  const each = heads / groups;
  const stacked = tf.transpose(tf.reshape(x, [passes, groups, each, inputs]), [1, 0, 2, 3]);
  const made = product(tf.reshape(stacked, [groups, passes * each, inputs]));
  const apart = tf.reshape(made, [groups, passes, each, made.shape[2]!]);
  return tf.reshape(tf.transpose(apart, [1, 0, 2, 3]), [passes, heads, made.shape[2]!]);
}

const addRowOp = defineOp<"x" | "row", object>({
  name: "LuvitAddRow",
  inputs: ["x", "row"],
  outputs: ({ x }) => [{ shape: x.shape, dtype: "float32" }],
  compute: ({ x, row }, [sum]) => {
    const width = row.length;
    for (let start = 0; start < x.length; start += width) {
      for (let i = 0; i < width; i++) sum[start + i] = x[start + i] + row[i];
    }
  },
  composite: ({ x, row }) => [tf.add(x, row)],
  gradient: {
    saved: [],
    backward: (dy) => ({ x: () => tf.clone(dy), row: () => sumRows(dy) }),
  },
});

const sumRowsOp = defineOp<"x", object>({
  name: "LuvitSumRows",
  inputs: ["x"],
  outputs: ({ x }) => [{ shape: x.shape.slice(-1), dtype: "float32" }],
  compute: ({ x }, [sum]) => {
    const width = sum.length;
    const exact = new Float64Array(width);
    for (let start = 0; start < x.length; start += width) {
      for (let i = 0; i < width; i++) exact[i] += x[start + i];
    }
    sum.set(exact);
  },
  composite: ({ x }) => [tf.sum(tf.reshape(x, [-1, x.shape[x.rank - 1]]), 0)],
  gradient: {
    saved: ["x"],
    backward: (dy, { x }) => ({ x: () => tf.add(tf.zerosLike(x), dy) }),
  },
});

/** x [..., D] + row [D]. */
export function addRow(x: Tensor, row: Tensor): Tensor {
  return addRowOp({ x, row }, {})[0];
}

/** Sum over all but the last axis: x [..., D] -> [D]. */
export function sumRows(x: Tensor): Tensor {
  return sumRowsOp({ x }, {})[0];
}
