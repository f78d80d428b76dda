import type { Tensor } from "../core/tf";

/** Receives named intermediate values, e.g. "blocks.11.attn.pattern" [B, H, T, T]. The tensor belongs to the caller. */
export type Tap = (name: string, value: Tensor) => void;

/** What a forward pass may be told besides its input. The default is inference without taps. */
export interface Context {
  readonly tap?: Tap;
  /**
   * Drop-path factors [2 * depth, B], drawn on the host: 0 drops the branch of that sample, 1/(1-p) keeps it. Row 2k
   * belongs to the attention branch of block k, row 2k+1 to its MLP branch.
   */
  readonly dropPath?: Tensor;
  /**
   * Which tokens those of a language model see, [T, T] or [B, 1, T, T], from `AttentionMask.tensor`; it stands in the place
   * of the causal mask that their config asks for.
   */
  readonly mask?: Tensor;
}

/** The context of a forward pass in which nothing is random. */
export const inference: Context = {};
