import { Rng } from "../../../src/core/rng";
import { type Tensor, tf } from "../../../src/core/tf";
import { randomBlock } from "../../../src/models/baselines";
import type { LlamaBlocks } from "../../../src/models/llamaBlock";
import type { LlamaConfig } from "../../../src/models/llamaConfig";
import type { DecoderConfig, MaskedAutoencoder } from "../../../src/models/mae";
import { drawNoise, maskFromNoise } from "../../../src/models/masking";
import type { ViTConfig } from "../../../src/models/vit";
import type { LayerNorm, RMSNorm } from "../../../src/nn/layers";
import type { Module } from "../../../src/nn/module";
import { trainableVariables } from "../../../src/nn/variables";
import { lossAndGradients } from "../../../src/optim/gradients";
import { rampTensor, randomTensor } from "../nn/support";

/** Small enough for a forward and backward pass in milliseconds; 9 patches, an odd number. */
export const tinyViT: ViTConfig = { imageSize: 12, patchSize: 4, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
export const tinyDecoder: DecoderConfig = { dim: 8, depth: 1, heads: 2, mlpRatio: 2 };
/** Of a detector of 16-pixel images. */
export const tinyHead = {
  imageSize: 16,
  windowSize: 2,
  pyramid: 8,
  rois: { channels: 8, hidden: 12, convolutions: 1 },
};
export const tinyLlama: LlamaConfig = {
  dim: 24,
  heads: 2,
  hiddenDim: 40,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: false,
  rope: false,
  rowOrder: "hf",
};

export const tinyBlock = (options: { depth?: number; seed?: number } = {}): LlamaBlocks =>
  randomBlock(tinyLlama, options);

export const tinyImages = (batch = 2, seed = 11): Tensor =>
  randomTensor([batch, 3, tinyViT.imageSize, tinyViT.imageSize], seed);

export function tinyInputs(model: MaskedAutoencoder, batch = 2, seed = 11) {
  const patches = (tinyViT.imageSize / tinyViT.patchSize) ** 2;
  const mask = maskFromNoise(drawNoise(batch, patches, new Rng(seed)), batch, model.maskRatio);
  return model.inputs(tinyImages(batch, seed), mask);
}

/** Moves every parameter whose path passes by small random numbers, so that none is at a special value. */
export function perturb(model: Module, passes: (path: string) => boolean = () => true): void {
  let seed = 1000;
  for (const [path, parameter] of model.namedParameters()) {
    seed++;
    if (!passes(path)) continue;
    tf.tidy(() => parameter.value.assign(tf.add(parameter.value, randomTensor(parameter.shape, seed, 0.1))));
  }
}

/** The gradients of a loss towards all the parameters given, on the host; parameters it does not reach are absent. */
export function hostGradients(
  loss: () => Tensor,
  variables: Map<string, tf.Variable>,
): Map<string, Float32Array> {
  const { loss: value, gradients } = lossAndGradients(loss, variables);
  const host = new Map(
    [...gradients].map(([path, gradient]) => [path, gradient.dataSync<"float32">().slice()]),
  );
  tf.dispose([value, ...gradients.values()]);
  return host;
}

/** The norms of a model by path. */
export function normsOf(model: Module): [path: string, norm: LayerNorm | RMSNorm][] {
  const all = [...model.namedModules()];
  return all.filter((one): one is [string, LayerNorm | RMSNorm] =>
    /^(Layer|RMS)Norm$/.test(one[1].constructor.name),
  );
}

/**
 * What a pass gives, and how long the gradients of a sum over it are, in which every number counts otherwise, by parameter:
 * 0 where they are nothing but rounding.
 */
export function passOf(model: Module, pass: () => Tensor): { value: Tensor; slopes: Record<string, number> } {
  const variables = trainableVariables(model);
  const gradients = hostGradients(() => {
    const made = pass();
    return tf.sum(tf.mul(made, rampTensor(made.shape, 1, 0.9)));
  }, variables);
  const lengths = [...gradients].map(([path, x]): [string, number] => [path, Math.hypot(...x)]);
  const most = Math.max(0, ...lengths.map(([, length]) => length));
  const slopes = Object.fromEntries(
    lengths.map(([path, length]) => [path, length < 1e-5 * most ? 0 : length]),
  );
  return { value: tf.tidy(() => tf.clone(pass())), slopes };
}

/** A model's parameters, a text each. */
export const parametersOf = (model: Module): string[] =>
  model.summary().map(({ path, shape, trainable }) => `${path} ${shape}${trainable ? "" : " frozen"}`);

/** Parameters and passes of a model that is made and gone again: as it starts, and with every parameter moved. */
export async function lifeOf<Kind extends Module>(
  make: () => Kind | Promise<Kind>,
  pass: (model: Kind) => Tensor,
): Promise<object> {
  const model = await make();
  const parameters = parametersOf(model);
  const fresh = tf.tidy(() => tf.clone(pass(model)));
  perturb(model);
  const moved = passOf(model, () => pass(model));
  model.dispose();
  return { parameters, fresh, ...moved };
}
