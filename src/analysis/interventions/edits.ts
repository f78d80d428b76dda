import { LuvitError } from "../../core/errors";
import { formatShape } from "../../core/hostTensor";
import { type Tensor, tf } from "../../core/tf";
import type { Edit } from "../../nn/context";

/** The layer whose heads' weighted values [B, H, T, C] have this name: "blocks.11", "llama.layers.0". */
export function layerOfHeads(name: string): string | undefined {
  return /^(.*)\.(?:attn|attention)\.heads$/.exec(name)?.[1];
}

/** One edit after another. */
export function chain(...edits: readonly Edit[]): Edit {
  return (name, value) => edits.reduce((x, edit) => edit(name, x), value);
}

/**
 * Lets heads through or replaces them, at the input of the attention's output projection, whose bias stays. `gate`
 * [L, H]: a row per layer of `layers` (further columns of a layer with fewer heads are ignored), 1 lets a head through,
 * 0 replaces it by its part of `fill` of that layer, something that broadcasts over [B, H, T, C]; by zero without it.
 */
export function gateHeads(
  layers: readonly string[],
  gate: Tensor,
  fill: ReadonlyMap<string, Tensor> = new Map(),
): Edit {
  return (name, value) => {
    const layer = layerOfHeads(name);
    const row = layer === undefined ? -1 : layers.indexOf(layer);
    if (row < 0) return value;
    const heads = value.shape[1]!;
    const open = tf.reshape(tf.slice(gate, [row, 0], [1, heads]), [1, heads, 1, 1]);
    const kept = tf.mul(value, open);
    const instead = fill.get(layer!);
    return instead ? tf.add(kept, tf.mul(instead, tf.sub(1, open))) : kept;
  };
}

/**
 * Every head of a layer switched off in turn, of one image: what comes behind the layer has the heads as its batch. `instead`
 * [1, H, T, C] stands in a head's place, zero without it.
 */
export function eachHeadOff(layer: string, heads: number, instead?: Tensor): Edit {
  return (name, value) => {
    if (layerOfHeads(name) !== layer) return value;
    // A row per pass: 1 lets a head through. Values of one image broadcast against it.
    const open = tf.reshape(tf.sub(1, tf.eye(heads)), [heads, heads, 1, 1]);
    const kept = tf.mul(value, open);
    return instead ? tf.add(kept, tf.mul(instead, tf.sub(1, open))) : kept;
  };
}

/**
 * Takes tokens from another pass. `take` [S, T]: a row per name of `sites` (residual-stream values [B, T, D]), 1 where
 * the token comes from `donors`, which have the value of each site in the other pass.
 */
export function patchTokens(
  sites: readonly string[],
  donors: ReadonlyMap<string, Tensor>,
  take: Tensor,
): Edit {
  return (name, value) => {
    const row = sites.indexOf(name);
    if (row < 0) return value;
    const donor = donors.get(name);
    if (!donor || formatShape(donor.shape) !== formatShape(value.shape)) {
      const given = donor ? formatShape(donor.shape) : "none";
      throw new LuvitError(
        "bad-argument",
        `patching ${name}: expected a donor ${formatShape(value.shape)}, got ${given}`,
      );
    }
    const tokens = value.shape[1]!;
    const other = tf.reshape(tf.slice(take, [row, 0], [1, tokens]), [1, tokens, 1]);
    return tf.add(tf.mul(value, tf.sub(1, other)), tf.mul(donor, other));
  };
}

/**
 * What can be left out of a forward pass: the attention or the feed-forward branch of a layer (its output bias with it),
 * both branches, every low-rank update, or the fusion path as a whole.
 */
export type Skip =
  | { readonly attention: string }
  | { readonly feedForward: string }
  | { readonly layer: string }
  | "lora"
  | "fusion";

/** Leaves parts out: what enters a skipped branch is not added to, what enters a skipped path comes out as it is. */
export function skip(...skips: readonly Skip[]): Edit {
  let entering: Tensor | undefined;
  const isSkipped = (name: string) => skips.some((one) => isBranch(one, name));
  return (name, value) => {
    if (name === "fusion.in") entering = value;
    if (name === "fusion.out" && entering && skips.includes("fusion")) return entering;
    return isSkipped(name) ? tf.zerosLike(value) : value;
  };
}

function isBranch(one: Skip, name: string): boolean {
  if (one === "fusion") return false;
  if (one === "lora") return name.endsWith(".lora");
  if ("attention" in one) return isOf(one.attention, name, ["attn.out", "attention.out"]);
  if ("feedForward" in one) return isOf(one.feedForward, name, ["mlp.out", "feed_forward.out"]);
  return isBranch({ attention: one.layer }, name) || isBranch({ feedForward: one.layer }, name);
}

function isOf(layer: string, name: string, parts: readonly string[]): boolean {
  return parts.some((part) => name === `${layer}.${part}`);
}
