import { formatShape } from "../../core/hostTensor";
import type { TensorInfo } from "../safetensors";
import {
  type LlamaFeatures,
  type LlamaFileConfig,
  type LlamaFileHints,
  llamaDefaults,
  withoutGaps,
} from "./config";
import { llamaBlockModules } from "./keymap";

/** The nine tensors every block has, after `layers.N.`, in Meta names. */
const llamaBlockParameters: readonly string[] = llamaBlockModules.map(({ meta }) => `${meta}.weight`);

/** What a feature adds to a block. */
const featureParameters: Readonly<Record<keyof LlamaFeatures, readonly string[]>> = {
  qkvBias: ["attention.wq.bias", "attention.wk.bias", "attention.wv.bias"],
  outputBias: ["attention.wo.bias"],
  mlpBias: ["feed_forward.w1.bias", "feed_forward.w3.bias", "feed_forward.w2.bias"],
  qkNorm: ["attention.q_norm.weight", "attention.k_norm.weight"],
};
const featureNames = Object.keys(featureParameters) as (keyof LlamaFeatures)[];

/** The tensors of a block with the given features, after `layers.N.`, in Meta names. */
export function blockParameters(features: LlamaFeatures): string[] {
  const extra = featureNames.filter((name) => features[name]).flatMap((name) => featureParameters[name]);
  return [...llamaBlockParameters, ...extra];
}

/** What the config says a block has, and where it says nothing, what most of its tensors say; only what is there. */
export function findFeatures(hints: LlamaFileHints, has: (parameter: string) => boolean): LlamaFeatures {
  const isThere = (parameters: readonly string[]) => 2 * parameters.filter(has).length > parameters.length;
  const present = featureNames.filter((name) => hints[name] ?? isThere(featureParameters[name]));
  return Object.fromEntries(present.map((name) => [name, true]));
}

/** The widths of a block that its tensors must agree on. */
export interface BlockWidths {
  dim: number;
  hiddenDim: number;
  /** Rows of q, all heads together. */
  qDim: number;
  /** Rows of k and v. */
  kvDim: number;
  /** 0 when nothing says it. */
  headDim: number;
}

/** Parameter of a block (after `layers.N.`) -> shape and type. */
export type BlockInfos = ReadonlyMap<string, TensorInfo>;

/**
 * What the widths of a block should be: what the config says, else what most of its tensors say. So a single tensor of
 * the wrong shape is recognized as the odd one out even without a config.
 */
export function inferBlockWidths(block: BlockInfos, hints: LlamaFileHints): BlockWidths {
  const axis = (parameter: string, index: number) => block.get(`${parameter}.weight`)?.shape[index];
  const dim =
    hints.dim ??
    mostCommon([
      axis("attention_norm", 0),
      axis("ffn_norm", 0),
      ...["attention.wq", "attention.wk", "attention.wv", "feed_forward.w1", "feed_forward.w3"].map((p) =>
        axis(p, 1),
      ),
      ...["attention.wo", "feed_forward.w2"].map((p) => axis(p, 0)),
    ]);
  const hiddenDim =
    hints.hiddenDim ??
    mostCommon([axis("feed_forward.w1", 0), axis("feed_forward.w3", 0), axis("feed_forward.w2", 1)]);
  const { heads, kvHeads } = hints;
  const qDim =
    heads && hints.headDim
      ? heads * hints.headDim
      : mostCommon([axis("attention.wq", 0), axis("attention.wo", 1), dim]);
  const headDim =
    hints.headDim ?? axis("attention.q_norm", 0) ?? (heads ? qDim / heads : assumedHeadDim(qDim));
  const kvDim =
    headDim && kvHeads
      ? headDim * kvHeads
      : mostCommon([axis("attention.wk", 0), axis("attention.wv", 0), dim]);
  return { dim, hiddenDim, qDim, kvDim, headDim };
}

function assumedHeadDim(qDim: number): number {
  return qDim % llamaDefaults.headDim === 0 ? llamaDefaults.headDim : 0;
}

/** The shape each parameter of a block must have, [out, in] as in PyTorch; biases and norms [out]. */
export function expectedBlockShapes({
  dim,
  hiddenDim,
  qDim,
  kvDim,
  headDim,
}: BlockWidths): Map<string, number[]> {
  const linears: [string, number, number][] = [
    ["attention.wq", qDim, dim],
    ["attention.wk", kvDim, dim],
    ["attention.wv", kvDim, dim],
    ["attention.wo", dim, qDim],
    ["feed_forward.w1", hiddenDim, dim],
    ["feed_forward.w3", hiddenDim, dim],
    ["feed_forward.w2", dim, hiddenDim],
  ];
  const shapes = new Map<string, number[]>();
  for (const [module, outputs, inputs] of linears) {
    shapes.set(`${module}.weight`, [outputs, inputs]);
    shapes.set(`${module}.bias`, [outputs]);
  }
  for (const module of ["attention_norm", "ffn_norm"]) shapes.set(`${module}.weight`, [dim]);
  for (const module of ["attention.q_norm", "attention.k_norm"]) shapes.set(`${module}.weight`, [headDim]);
  return shapes;
}

/** "expected [4096, 4096], got [4096, 4000]" when shapes differ. */
export function describeShapeFault(
  expected: readonly number[],
  actual: readonly number[],
): string | undefined {
  const same = expected.length === actual.length && expected.every((length, axis) => length === actual[axis]);
  return same ? undefined : `expected ${formatShape(expected)}, got ${formatShape(actual)}`;
}

/**
 * The config of blocks whose widths are known: hints first, then LLaMA-1's constants. Notes say what was assumed.
 * `problem` is set instead when the number of heads cannot be known or does not divide the width.
 */
export function completeConfig(
  { dim, hiddenDim, qDim, kvDim, headDim }: BlockWidths,
  hints: LlamaFileHints,
  features: LlamaFeatures,
): { config: LlamaFileConfig; notes: string[]; problem?: string } {
  const notes: string[] = [];
  const assume = (what: string, value: number) => {
    notes.push(`no config beside the weights says ${what}: assumed ${value}`);
    return value;
  };
  const heads = hints.heads ?? (headDim ? assume("the number of heads", qDim / headDim) : 0);
  const normEps = hints.normEps ?? assume("the epsilon of the norms", llamaDefaults.normEps);
  const ropeTheta = hints.ropeTheta ?? llamaDefaults.ropeTheta;
  const kvHeads = kvDim / headDim;
  const config = withoutGaps<LlamaFileConfig>({
    dim,
    heads,
    kvHeads,
    headDim: headDim * heads === dim ? undefined : headDim,
    hiddenDim,
    normEps,
    ropeTheta,
    ropeScaling: hints.ropeScaling,
    slidingWindow: hints.slidingWindow,
    ...features,
  });
  if (heads === 0)
    return { config, notes, problem: `width ${qDim}: the number of heads is unknown, pass { heads }` };
  if (![heads, headDim, kvHeads, heads / kvHeads].every(Number.isInteger)) {
    return { config, notes, problem: `${heads} heads do not divide the widths ${qDim} and ${kvDim}` };
  }
  return { config, notes };
}

/** The value that occurs most often; the earlier one when two are equally frequent, 0 when there is none. */
function mostCommon(values: readonly (number | undefined)[]): number {
  const counts = new Map<number, number>();
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best = 0;
  for (const [value, count] of counts) if (count > (counts.get(best) ?? 0)) best = value;
  return best;
}
