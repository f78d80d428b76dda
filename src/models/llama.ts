import { LuvitError } from "../core/errors";
import { Rng } from "../core/rng";
import { type LlamaBlockOptions, readLlamaBlocks } from "../io/llamaWeights";
import { LlamaBlock, type LlamaConfig } from "./llamaBlock";

export interface LoadBlockOptions extends LlamaBlockOptions {
  /** Each token sees only earlier ones; LUViT: false. */
  causal?: boolean;
  /** Rotary position embedding; LUViT: false. */
  rope?: boolean;
}

/**
 * Reads one block (or several in a row) of a LLaMA checkpoint and freezes it. `path` is a safetensors file, a folder or
 * index of a sharded checkpoint (safetensors or .bin), or Meta's consolidated.00.pth; only the block's bytes are read.
 * `block` counts from 1 as in the paper: block 32 is the last of LLaMA-7B. Default: the last one.
 *
 * @throws LuvitError listing every missing, misshapen or non-finite tensor.
 */
export async function loadBlock(path: string, options: LoadBlockOptions = {}): Promise<LlamaBlock> {
  const { causal = false, rope = false, ...reading } = options;
  const read = await readLlamaBlocks(path, reading);
  const { kvHeads, ...sizes } = read.config;
  if (kvHeads !== sizes.heads) {
    const counts = `${kvHeads} key/value heads for ${sizes.heads} query heads`;
    throw new LuvitError("bad-argument", `${path}: grouped-query attention (${counts}) is not supported yet`);
  }
  const config: LlamaConfig = { ...sizes, causal, rope, rowOrder: read.rowOrder };
  const numbers = read.layerIndices.map((index) => index + 1).join(", ");
  const origin = `${path}, block ${numbers} of ${read.totalLayers}, ${(read.bytesRead / 1e6).toFixed(2)} MB read`;
  const block = new LlamaBlock(config, read.layerIndices.length, new Rng(0), origin, read.layerIndices);
  block.load(read.tensors, { source: read.source });
  block.freeze();
  return block;
}
