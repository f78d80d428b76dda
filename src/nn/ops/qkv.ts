import { checkOptions } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import { headsOfWidth } from "../options";
import { defineOp } from "./defineOp";

interface Heads {
  heads: number;
}

/**
 * Visits every run of C numbers that a token's q, k or v of one head occupies, in the fused layout [B, T, 3, H, C] and in
 * the split one [B, H, T, C].
 */
function forEachRun(
  [batch, heads, tokens, channels]: readonly number[],
  visit: (part: number, fused: number, split: number) => void,
): void {
  const fusedToken = 3 * heads * channels;
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < tokens; t++) {
      for (let part = 0; part < 3; part++) {
        for (let h = 0; h < heads; h++) {
          const fused = (b * tokens + t) * fusedToken + (part * heads + h) * channels;
          visit(part, fused, ((b * heads + h) * tokens + t) * channels);
        }
      }
    }
  }
}

const joinQkvOp = defineOp<"q" | "k" | "v", object>({
  name: "LuvitJoinQkv",
  inputs: ["q", "k", "v"],
  outputs: ({ q }) => {
    const [b, h, t, c] = q.shape;
    return [{ shape: [b, t, 3 * h * c], dtype: "float32" }];
  },
  compute: ({ q, k, v }, [fused], shapes) => {
    const parts = [q, k, v];
    const channels = shapes.q[3];
    forEachRun(shapes.q, (part, to, from) => {
      const values = parts[part];
      for (let i = 0; i < channels; i++) fused[to + i] = values[from + i];
    });
  },
  composite: ({ q, k, v }) => {
    const [b, h, t, c] = q.shape;
    return [
      tf.concat(
        [q, k, v].map((x) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [b, t, h * c])),
        2,
      ),
    ];
  },
});

const splitQkvOp = defineOp<"x", Heads>({
  name: "LuvitSplitQkv",
  inputs: ["x"],
  outputs: ({ x }, { heads }) => {
    const [b, t, d] = x.shape;
    const shape = [b, heads, t, d / (3 * heads)];
    return [0, 1, 2].map(() => ({ shape, dtype: "float32" as const }));
  },
  compute: ({ x }, parts, shapes, { heads }) => {
    const [batch, tokens, width] = shapes.x;
    const channels = width / (3 * heads);
    forEachRun([batch, heads, tokens, channels], (part, from, to) => {
      const values = parts[part];
      for (let i = 0; i < channels; i++) values[to + i] = x[from + i];
    });
  },
  composite: ({ x }, { heads }) => {
    const [b, t, d] = x.shape;
    return tf
      .split(x, 3, 2)
      .map((part) => tf.transpose(tf.reshape(part, [b, t, heads, d! / (3 * heads)]), [0, 2, 1, 3]));
  },
  gradient: {
    saved: [],
    backward: (_dy, _saved, _attributes, [q, k, v]) => ({ x: () => joinQkvOp({ q, k, v }, {})[0] }),
  },
});

/** A fused projection [B, T, 3*H*C] (all q heads, then k, then v) -> q, k, v [B, H, T, C] each. */
export function splitQkv(x: Tensor, heads: number): Tensor[] {
  checkOptions("splitQkv", headsOfWidth, { width: x.shape.at(-1)! / 3, heads });
  return splitQkvOp({ x }, { heads });
}
