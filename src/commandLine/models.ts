import { existsSync } from "node:fs";
import { LuvitError } from "../core/errors";
import { classifier, fusion, llama, lora, mae, vit } from "../models";
import type { Classifier } from "../models/classifier";
import type { FusionPlan } from "../models/fusion";
import type { DecoderConfig as DecoderShape, MaskedAutoencoder } from "../models/mae";
import type { ViTConfig } from "../models/vit";
import { isRunFolder, loadRunWeights, type RunWeights } from "../train/runWeights";
import type {
  DecoderConfig,
  EncoderConfig,
  FusionConfig,
  MaeModelConfig,
  TrainedModelConfig,
  TunedModelConfig,
} from "./modelConfig";

/** Turns a path of the configuration file into one of this process. */
type Resolve = (relative: string) => string;

/** Sizes of an encoder that is named, or described. */
export const encoderOf = (config: EncoderConfig): ViTConfig =>
  typeof config === "string" ? vit[config] : config;

const decoderOf = (config: DecoderConfig = "decoder512x8"): DecoderShape =>
  typeof config === "string" ? mae[config] : config;

async function fusionOf(config: FusionConfig | undefined, path: Resolve): Promise<FusionPlan | undefined> {
  if (!config) return undefined;
  const { block: source, number, lora: adapters, ...options } = config;
  // A name on the hub is not a path.
  const block = await llama.loadBlock(existsSync(path(source)) ? path(source) : source, { block: number });
  if (adapters) lora.attach(block, adapters);
  return fusion.through(block, options);
}

/** The masked auto-encoder of a configuration, with its weights. */
export async function maeFrom(config: MaeModelConfig, path: Resolve): Promise<MaskedAutoencoder> {
  const { seed, maskRatio, weights } = config;
  const model = mae.create({
    encoder: encoderOf(config.encoder),
    fusion: await fusionOf(config.fusion, path),
    decoder: decoderOf(config.decoder),
    seed,
    maskRatio,
  });
  if (weights !== undefined) await pretrainedInto(model, path(weights));
  return model;
}

/** The classifier of a configuration, on pretrained weights where there are some. */
export async function tunedFrom(config: TunedModelConfig, path: Resolve): Promise<Classifier> {
  const { classes, pooling, seed, pretrained, decoder, fusion: block } = config;
  const encoder = encoderOf(config.encoder);
  const plan = await fusionOf(block, path);
  if (pretrained === undefined) return classifier.create({ encoder, fusion: plan, classes, pooling, seed });
  const model = mae.create({ encoder, fusion: plan, decoder: decoderOf(decoder), seed });
  await pretrainedInto(model, path(pretrained));
  const tuned = await classifier.fromPretrained(model, { classes, pooling, seed });
  model.dispose();
  return tuned;
}

async function pretrainedInto(model: MaskedAutoencoder, path: string): Promise<void> {
  if (isRunFolder(path)) await loadRunWeights(model, path);
  else await mae.loadCheckpoint(model, path);
}

/** A finetuned classifier, and what its run's folder says of it. */
export async function trainedFrom(
  config: TrainedModelConfig,
  path: Resolve,
): Promise<{ model: Classifier; run?: RunWeights }> {
  const { classes, pooling, seed, averaged } = config;
  const weights = path(config.weights);
  if (averaged && !isRunFolder(weights)) {
    const problem = `${weights} is no run's folder, which alone holds averaged weights; leave model.averaged out`;
    throw new LuvitError("bad-argument", problem);
  }
  const plan = await fusionOf(config.fusion, path);
  const model = classifier.create({
    encoder: encoderOf(config.encoder),
    fusion: plan,
    classes,
    pooling,
    seed,
  });
  if (isRunFolder(weights)) return { model, run: await loadRunWeights(model, weights, { averaged }) };
  await classifier.loadCheckpoint(model, weights);
  return { model };
}
