import { LayerNorm } from "../nn/layers";
import type { LlamaDescription } from "./config";
import { headSizes, type LlamaConfig } from "./llamaConfig";
import type { Block, ViTConfig } from "./vit";

/** A config with everything that it leaves to defaults, as models are saved with it. */
export function describeLlama(config: LlamaConfig): LlamaDescription {
  const { dim, hiddenDim, normEps, causal, rope, ropeTheta, rowOrder } = config;
  const { slidingWindow = null, ropeScaling = null } = config;
  const { qkvBias = false, outputBias = false, mlpBias = false, qkNorm = false } = config;
  const features = { qkvBias, outputBias, mlpBias, qkNorm };
  const positions = { causal, slidingWindow, rope, ropeTheta, ropeScaling, rowOrder };
  return { dim, ...headSizes(config), hiddenDim, normEps, ...positions, ...features };
}

/** The config that a description is of. */
export function llamaConfigFrom({ slidingWindow, ropeScaling, ...config }: LlamaDescription): LlamaConfig {
  return { ...config, ...(slidingWindow !== null && { slidingWindow }), ...(ropeScaling && { ropeScaling }) };
}

/** What a stack of blocks computes with. */
export function describeBlocks(
  { dim, depth, heads, mlpRatio }: Pick<ViTConfig, "dim" | "depth" | "heads" | "mlpRatio">,
  blocks: readonly Block[],
) {
  return { dim, depth, heads, mlpRatio, normEps: (blocks[0]?.norm1 ?? new LayerNorm(1)).eps };
}
