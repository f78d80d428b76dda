import { checkOptions, object } from "../core/options";
import { Rng } from "../core/rng";
import { plainObject } from "../io/options";
import { width } from "../nn/options";
import { type FusionOptions, type FusionPlan, type MlpActivation, mlp, through } from "./fusion";
import { LlamaBlocks, llamaBlockField } from "./llamaBlock";
import { type LlamaConfig, llamaConfig } from "./llamaConfig";
import { attach, type LoraOptions } from "./lora";
import { randomBlockOptions } from "./options";
import type { ViTConfig } from "./vit";

/*
 * What LUViT is compared with (Tables 1, 3 and 4). Each gives the `fusion` option of `mae.create` and
 * `classifier.create`; the plain ViT is that option left out.
 */

/** ViT + frozen LLaMA block without LoRA (Pang et al.): the mappers train, the block does not. */
export function frozenBlock(block: LlamaBlocks, options: FusionOptions = {}): FusionPlan {
  checkOptions("baselines.frozenBlock", llamaBlockField, block);
  block.freeze();
  return through(block, options);
}

/**
 * A LLaMA block of the given shape with random weights (normal 0.02), frozen; LoRA may be attached to it.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * const random = luvit.baselines.randomBlock(block.config, { seed: 1 });
 */
export function randomBlock(
  config: LlamaConfig,
  options: { depth?: number; seed?: number } = {},
): LlamaBlocks {
  checkOptions("baselines.randomBlock", llamaConfig, config);
  checkOptions("baselines.randomBlock", randomBlockOptions, options);
  const { depth = 1, seed = 0 } = options;
  const block = new LlamaBlocks({
    config: { ...config },
    depth,
    rng: new Rng(seed).fork("random block"),
    origin: "random numbers",
  });
  block.freeze();
  return block;
}

const widthOnly = object({ dim: width }, {});

/** MLP-P: the two mappers alone, same width as the block's. */
export function mlpP(
  block: Pick<LlamaConfig, "dim">,
  options: FusionOptions & { activation?: MlpActivation } = {},
) {
  checkOptions("baselines.mlpP", widthOnly, { dim: block?.dim });
  return mlp(block.dim, options);
}

/**
 * MLP-L: mappers widened until they hold as many parameters as LUViT's mappers and LoRA together (4267 for LUViT-B). LoRA
 * is counted on a block of the given shape, where grouped keys and values make it smaller.
 */
export function mlpL(
  vit: Pick<ViTConfig, "dim">,
  block: LlamaConfig,
  options: FusionOptions & {
    activation?: MlpActivation;
    loraRank?: number;
    loraTargets?: LoraOptions["targets"];
  } = {},
) {
  checkOptions("baselines.mlpL", widthOnly, { dim: vit?.dim });
  checkOptions("baselines.mlpL", plainObject("an object of options"), options);
  const { loraRank: rank, loraTargets: targets, ...rest } = options;
  const { trainable: lora } = attach(randomBlock(block), { rank, targets });
  const mappers = 2 * vit.dim * block.dim;
  return mlp(Math.round((mappers + lora) / (2 * vit.dim)), rest);
}
