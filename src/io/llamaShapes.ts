import { formatShape } from "../core/hostTensor";
import { llamaDefaults, type LlamaFileConfig, type LlamaFileHints } from "./llamaConfig";
import { llamaBlockModules } from "./keymap";
import type { TensorInfo } from "./safetensorsHeader";

/** The nine tensors of a block, after `layers.N.`, in Meta names. */
export const llamaBlockParameters: readonly string[] = llamaBlockModules.map(({ meta }) => `${meta}.weight`);

/** The widths of a block that its tensors must agree on. */
export interface BlockWidths {
  dim: number;
  hiddenDim: number;
  /** Rows of k and v. */
  kvDim: number;
}

/** Parameter of a block (after `layers.N.`) -> shape and type. */
export type BlockInfos = ReadonlyMap<string, TensorInfo>;

/**
 * What the widths of a block should be: what the config says, else what most of its tensors say. So a single tensor of
 * the wrong shape is recognised as the odd one out even without a config.
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
  const kvDim =
    heads && kvHeads
      ? (dim / heads) * kvHeads
      : mostCommon([axis("attention.wk", 0), axis("attention.wv", 0), dim]);
  return { dim, hiddenDim, kvDim };
}

/** The shape each parameter of a block must have, [out, in] as in PyTorch. */
export function expectedBlockShapes({ dim, hiddenDim, kvDim }: BlockWidths): Map<string, number[]> {
  return new Map([
    ["attention.wq.weight", [dim, dim]],
    ["attention.wk.weight", [kvDim, dim]],
    ["attention.wv.weight", [kvDim, dim]],
    ["attention.wo.weight", [dim, dim]],
    ["feed_forward.w1.weight", [hiddenDim, dim]],
    ["feed_forward.w3.weight", [hiddenDim, dim]],
    ["feed_forward.w2.weight", [dim, hiddenDim]],
    ["attention_norm.weight", [dim]],
    ["ffn_norm.weight", [dim]],
  ]);
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
  { dim, hiddenDim, kvDim }: BlockWidths,
  hints: LlamaFileHints,
): { config: LlamaFileConfig; notes: string[]; problem?: string } {
  const notes: string[] = [];
  const assume = (what: string, value: number) => {
    notes.push(`no config beside the weights says ${what}: assumed ${value}`);
    return value;
  };
  const assumable = dim % llamaDefaults.headDim === 0;
  const heads = hints.heads ?? (assumable ? assume("the number of heads", dim / llamaDefaults.headDim) : 0);
  const normEps = hints.normEps ?? assume("the epsilon of the norms", llamaDefaults.normEps);
  const ropeTheta = hints.ropeTheta ?? llamaDefaults.ropeTheta;
  const kvHeads = (kvDim * heads) / dim;
  const config = { dim, heads, kvHeads, hiddenDim, normEps, ropeTheta };
  if (heads === 0)
    return { config, notes, problem: `width ${dim}: the number of heads is unknown, pass { heads }` };
  if (dim % heads !== 0 || !Number.isInteger(kvHeads)) {
    return { config, notes, problem: `${heads} heads do not divide the widths ${dim} and ${kvDim}` };
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
