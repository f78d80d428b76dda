import type { SharedCall, SharedRules } from "./call";
import type { Value } from "./ops";

/** [B, T, H*C] -> [B, H, T, C]. */
function splitHeads<V extends Value>(call: SharedCall<V>, x: V, heads: number): V {
  const [batch, tokens, width] = x.shape;
  return call.ops.transpose(call.ops.reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, C] -> [B, T, H*C]. */
function mergeHeads<V extends Value>(call: SharedCall<V>, x: V): V {
  const [batch, heads, tokens, channels] = x.shape;
  return call.ops.reshape(call.ops.transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * channels]);
}

/** A fused projection [B, T, 3*H*C] -> q, k, v [B, H, T, C]. */
function splitQkv<V extends Value>(call: SharedCall<V>): V[] {
  const x = call.moved("x");
  const width = x.shape[2] / 3;
  const parts = call.ops.split(x, [width, width, width], 2);
  return parts.map((part) => splitHeads(call, part, call.attribute("heads")));
}

/** This library's ways between a row of features and attention heads. */
export const heads: SharedRules = {
  LuvitJoinQkv: (call) =>
    call.ops.concat(
      ["q", "k", "v"].map((name) => mergeHeads(call, call.moved(name))),
      2,
    ),
  LuvitMergeHeads: (call) => mergeHeads(call, call.moved("x")),
  LuvitSplitHeads: (call) => splitHeads(call, call.moved("x"), call.attribute("heads")),
  LuvitSplitQkv: splitQkv,
};
