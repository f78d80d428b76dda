import { LuvitError } from "../core/errors";
import { flag, number, object, oneOf, optionsOf, whole } from "../core/options";
import type { LlamaFeatures, RopeScaling, RowOrder } from "../io/llama";
import { epsilon, headCount, width } from "../nn/options";
import { ropeScaling } from "./options";

/** Shape and switches of a block of the LLaMA family. */
export interface LlamaConfig extends LlamaFeatures {
  dim: number;
  /** Heads of the queries. */
  heads: number;
  /** Heads of keys and values, a divisor of `heads`; default `heads`. */
  kvHeads?: number;
  /** Width of a head; default dim / heads. */
  headDim?: number;
  hiddenDim: number;
  /** 1e-6 for LLaMA-1 and Qwen, 1e-5 for LLaMA-2, LLaMA-3 and Mistral. */
  normEps: number;
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  /** Each token sees only earlier ones. LUViT: false. */
  causal: boolean;
  /** With `causal`: how many tokens each sees, itself included (Mistral). Of no effect where every token sees every other. */
  slidingWindow?: number;
  /** Rotary position embedding. LUViT: false. */
  rope: boolean;
  /** How q and k rows are ordered; matters for RoPE and for moving LoRA between formats. */
  rowOrder: RowOrder;
}

/** Shape and switches of a block of the LLaMA family. */
export const llamaConfig = optionsOf<LlamaConfig>(
  {
    dim: width,
    heads: headCount,
    hiddenDim: width,
    normEps: epsilon,
    ropeTheta: number(0, 1e12, true),
    causal: flag,
    rope: flag,
    rowOrder: oneOf(["hf", "meta"]),
  },
  {
    kvHeads: headCount,
    headDim: width,
    ropeScaling,
    slidingWindow: whole(1),
    qkvBias: flag,
    outputBias: flag,
    mlpBias: flag,
    qkNorm: flag,
  },
);

/** Blocks in a row. */
export const blocksOfLlama = object({ config: llamaConfig, depth: whole(1, 10_000) }, {});

/** LLaMA-7B's shape with LUViT's switches: every token sees every other, no rotation. */
export const llama7b: Readonly<LlamaConfig> = {
  dim: 4096,
  heads: 32,
  hiddenDim: 11008,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: false,
  rope: false,
  rowOrder: "hf",
};

/** 256-rounded SwiGLU width: LLaMA's hidden size for a model width. */
export function swigluWidth(dim: number, multipleOf = 256): number {
  return multipleOf * Math.ceil(Math.trunc((2 * 4 * dim) / 3) / multipleOf);
}

/**
 * A config's sizes of attention, defaults filled in.
 *
 * @throws LuvitError("bad-argument") when they do not fit together.
 */
export function headSizes(config: LlamaConfig): { heads: number; kvHeads: number; headDim: number } {
  const { dim, heads, kvHeads = heads, headDim = dim / heads, rope } = config;
  const problems = [
    Number.isInteger(headDim) ? "" : `${heads} heads do not divide the width ${dim}`,
    Number.isInteger(heads / kvHeads)
      ? ""
      : `${kvHeads} heads of keys do not divide ${heads} heads of queries`,
    rope && headDim % 2 !== 0 ? `rotary positions need heads of even width, not ${headDim}` : "",
  ].filter(Boolean);
  if (problems.length > 0) throw new LuvitError("bad-argument", `LLaMA block: ${problems.join("; ")}`);
  return { heads, kvHeads, headDim };
}
