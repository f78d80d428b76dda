import { type Tensor, tf } from "../../core/tf";
import { AFTER } from "../../graph/passes";
import { defineOp } from "./defineOp";

/**
 * x as it is, to the last bit, but not before `signal` is there: holds recomputation back in engines that order and
 * merge nodes as they like. Written into graphs by `recomputeBlocks`. x and signal of any shape -> x.
 */
const afterOp = defineOp<"x" | "signal", object>({
  name: AFTER,
  inputs: ["x", "signal"],
  outputs: ({ x }) => [{ shape: x.shape, dtype: x.dtype }],
  compute: ({ x }, [y]) => y.set(x),
  composite: ({ x }) => [tf.clone(x)],
});

/** x as it is, but not before `signal` is there; no gradient goes through it. */
export function after(x: Tensor, signal: Tensor): Tensor {
  return afterOp({ x, signal }, {})[0];
}
