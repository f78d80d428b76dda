import { checkOptions } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import { headsOfWidth } from "../options";
import { defineOp } from "./defineOp";

interface Heads {
  heads: number;
}

/** Copies between [B, T, H, C] and [B, H, T, C]; the same loop serves both directions. */
function swapMiddleAxes(from: ArrayLike<number>, to: Float32Array, [b, m, n, c]: readonly number[]): void {
  let source = 0;
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < n; k++) {
        let target = ((i * n + k) * m + j) * c;
        for (const end = source + c; source < end; source++) to[target++] = from[source];
      }
    }
  }
}

const mergeHeadsOp = defineOp<"x", object>({
  name: "LuvitMergeHeads",
  inputs: ["x"],
  outputs: ({ x }) => {
    const [b, h, t, c] = x.shape;
    return [{ shape: [b, t, h * c], dtype: "float32" }];
  },
  compute: ({ x }, [y], shapes) => swapMiddleAxes(x, y, shapes.x),
  composite: ({ x }) => {
    const [b, h, t, c] = x.shape;
    return [tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [b, t, h * c])];
  },
  gradient: {
    saved: ["x"],
    backward: (dy, { x }) => ({ x: () => splitHeads(dy, x.shape[1]!) }),
  },
});

const splitHeadsOp = defineOp<"x", Heads>({
  name: "LuvitSplitHeads",
  inputs: ["x"],
  outputs: ({ x }, { heads }) => {
    const [b, t, d] = x.shape;
    return [{ shape: [b, heads, t, d / heads], dtype: "float32" }];
  },
  compute: ({ x }, [y], shapes, { heads }) => {
    const [b, t, d] = shapes.x;
    swapMiddleAxes(x, y, [b, t, heads, d / heads]);
  },
  composite: ({ x }, { heads }) => {
    const [b, t, d] = x.shape;
    return [tf.transpose(tf.reshape(x, [b, t, heads, d / heads]), [0, 2, 1, 3])];
  },
  gradient: {
    saved: [],
    backward: (dy) => ({ x: () => mergeHeads(dy) }),
  },
});

/** x [B, T, H*C] -> [B, H, T, C]; each head is contiguous in the last axis of x. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  checkOptions("splitHeads", headsOfWidth, { width: x.shape.at(-1), heads });
  return splitHeadsOp({ x }, { heads })[0];
}

/** x [B, H, T, C] -> [B, T, H*C]. */
export function mergeHeads(x: Tensor): Tensor {
  return mergeHeadsOp({ x }, {})[0];
}
