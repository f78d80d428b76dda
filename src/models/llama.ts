import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { checkOptions, flag, optionsOf } from "../core/options";
import { Rng } from "../core/rng";
import { type LlamaBlockOptions, llamaBlockOptions, readLlamaBlocks } from "../io/llama";
import { source } from "../io/options";
import { LlamaBlocks } from "./llamaBlock";
import type { LlamaConfig } from "./llamaConfig";

/** Which blocks of a checkpoint to load, and how they attend. */
export interface LoadBlockOptions extends LlamaBlockOptions {
  /** Each token sees only earlier ones; LUViT: false. */
  causal?: boolean;
  /** Rotary position embedding; LUViT: false. */
  rope?: boolean;
}

export const loadBlockOptions = optionsOf<LoadBlockOptions>(
  {},
  { ...llamaBlockOptions.optional, causal: flag, rope: flag },
);

/**
 * Reads one block (or several in a row) of a language model of the LLaMA family (LLaMA 1 to 3, Mistral, Qwen2, Qwen3) and
 * freezes it. `path` is a safetensors or GGUF file (of a split one any part), a folder or index of a sharded checkpoint
 * (safetensors or .bin), or the folder of Meta's consolidated.NN.pth; only the block's bytes are read. Quantized GGUF
 * weights become the numbers they stand for.
 * `org/name`, or `hf://org/name@revision/file`, is read from the Hugging Face hub and cached; see `hub` and `revision`.
 * `block` counts from 1 as in the paper: block 32 is the last of LLaMA-7B. Default: the last one.
 *
 * @throws LuvitError listing every missing, misshapen or non-finite tensor; "network" or "no-access" saying what the hub
 * refused; "interrupted" when it was stopped.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 }); // or "huggyllama/llama-7b", { block: 32 }
 */
export async function loadBlock(path: string, options: LoadBlockOptions = {}): Promise<LlamaBlocks> {
  checkOptions("llama.loadBlock", source, { path });
  checkOptions("llama.loadBlock", loadBlockOptions, options);
  const { causal = false, rope = false, ...reading } = options;
  const read = await readLlamaBlocks(path, reading);
  const config: LlamaConfig = { ...read.config, causal, rope, rowOrder: read.rowOrder };
  const numbers = read.layerIndices.map((index) => index + 1).join(", ");
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  const { bytesReceived } = read;
  const network = bytesReceived === undefined ? "" : `, ${megabytes(bytesReceived)} over the network`;
  const origin = `${path}, block ${numbers} of ${read.totalLayers}, ${megabytes(read.bytesRead)} read${network}`;
  const { heads, normEps, ropeTheta, revision } = reading;
  const from = {
    checkpoint: existsSync(path) ? resolve(path) : path,
    options: { heads, normEps, ropeTheta, revision },
  };
  const count = read.layerIndices.length;
  const block = new LlamaBlocks({
    config,
    depth: count,
    rng: new Rng(0),
    origin,
    layerIndices: read.layerIndices,
    from,
  });
  block.loadStateDict(read.tensors, { source: read.source });
  block.freeze();
  return block;
}
