import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../core/errors";
import { classifier, fusion, llama, lora, mae, vit } from "../models";
import type { Classifier } from "../models/classifier";
import type { FusionPlan } from "../models/fusion";
import type { DecoderConfig as DecoderShape, MaskedAutoencoder } from "../models/mae";
import { configOf } from "../models/openModel";
import type { ViTConfig } from "../models/vit";
import { openRun } from "../train/openRun";
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

/** Takes a line that a person should read. */
type Say = (line: string) => void;

/** Sizes of an encoder that is named, or described. */
export const encoderOf = (config: EncoderConfig): ViTConfig =>
  typeof config === "string" ? vit[config] : config;

const decoderOf = (config: DecoderConfig = "decoder512x8"): DecoderShape =>
  typeof config === "string" ? mae[config] : config;

export async function fusionOf(
  config: FusionConfig | undefined,
  path: Resolve,
): Promise<FusionPlan | undefined> {
  if (!config) return undefined;
  const { block: source, number, lora: adapters, ...options } = config;
  // A name on the hub is not a path.
  const block = await llama.loadBlock(existsSync(path(source)) ? path(source) : source, { block: number });
  if (adapters) lora.attach(block, adapters);
  return fusion.through(block, options);
}

/** The masked auto-encoder of a configuration, with its weights. */
export async function maeFrom(config: MaeModelConfig, path: Resolve, say: Say): Promise<MaskedAutoencoder> {
  const { seed, maskRatio, normPixLoss, weights } = config;
  const model = mae.create({
    encoder: encoderOf(config.encoder),
    fusion: await fusionOf(config.fusion, path),
    decoder: decoderOf(config.decoder),
    seed,
    maskRatio,
    normPixLoss,
  });
  if (weights !== undefined) await pretrainedInto(model, path(weights), say);
  return model;
}

/**
 * The classifier of a configuration, on pretrained weights where there are some. `classes` are those of the images,
 * where the configuration names no number.
 */
export async function tunedFrom(
  config: TunedModelConfig,
  path: Resolve,
  classes: number,
  say: Say,
): Promise<Classifier> {
  const head = { classes: config.classes ?? classes, pooling: config.pooling, seed: config.seed };
  const { pretrained, decoder, seed } = config;
  if (pretrained === undefined) {
    const encoder = encoderOf(config.encoder!);
    return classifier.create({ encoder, fusion: await fusionOf(config.fusion, path), ...head });
  }
  const model = config.encoder
    ? mae.create({
        encoder: encoderOf(config.encoder),
        fusion: await fusionOf(config.fusion, path),
        decoder: decoderOf(decoder),
        seed,
      })
    : await maeByItself(config, path(pretrained));
  if (config.encoder) await pretrainedInto(model, path(pretrained), say);
  const tuned = await classifier.fromPretrained(model, head);
  model.dispose();
  return tuned;
}

/** The model of a run of pretraining or finetuning, or of a folder of model.save. */
export async function classifierOrMae(place: string): Promise<Classifier | MaskedAutoencoder> {
  const known = await configOf(place);
  return known?.modelType === "luvit-mae" ? mae.open(place) : classifier.open(place);
}

async function maeByItself(config: TunedModelConfig, place: string): Promise<MaskedAutoencoder> {
  expectNothingBeside(config, place, ["fusion", "decoder"]);
  return mae.open(place);
}

/** Says which of the weights in a file were taken, and what is to be known of a run's. */
async function pretrainedInto(model: MaskedAutoencoder, path: string, say: Say): Promise<void> {
  if (!isRunFolder(path)) say(String(await mae.loadCheckpoint(model, path)));
  else for (const note of (await loadRunWeights(model, path)).notes) say(note);
}

/** What images must be like for a model: as its configuration says, or the run that it comes from. */
export async function shapeOf(
  {
    encoder,
    ...config
  }: Pick<TunedModelConfig, "encoder" | "pretrained"> | Pick<TrainedModelConfig, "encoder" | "weights">,
  path: Resolve,
): Promise<Pick<ViTConfig, "imageSize" | "patchSize">> {
  if (encoder) return encoderOf(encoder);
  const place = path("weights" in config ? config.weights : config.pretrained!);
  const known = await configOf(place);
  if (known && "encoder" in known) return known.encoder;
  const advice = "name model.encoder; only runs of luvit and folders of model.save say what their model is";
  throw new LuvitError("bad-argument", `${place}: ${advice}`);
}

/** @throws LuvitError("bad-argument") for entries that describe a model which describes itself. */
export function expectNothingBeside<Config extends object>(
  config: Config,
  place: string,
  keys: readonly (keyof Config & string)[],
): void {
  const given = keys.filter((key) => config[key] !== undefined).map((key) => `model.${key}`);
  if (given.length === 0) return;
  const advice = `leave ${given.join(", ")} out, or name model.encoder too`;
  throw new LuvitError("bad-argument", `${place} says itself what its model is; ${advice}`);
}

/** A finetuned classifier, and what its run's folder says of it. */
export async function trainedFrom(
  config: TrainedModelConfig,
  path: Resolve,
  say: Say,
): Promise<{ model: Classifier; run?: Pick<RunWeights, "recipe" | "seed" | "notes"> }> {
  const { averaged } = config;
  const weights = path(config.weights);
  if (averaged && !isRunFolder(weights)) {
    const problem = `${weights} is no run's folder, which alone holds averaged weights; leave model.averaged out`;
    throw new LuvitError("bad-argument", problem);
  }
  if (!config.encoder) return trainedByItself(config, weights, say);
  const model = await describedClassifier(config, path);
  if (isRunFolder(weights)) return { model, run: await loadRunWeights(model, weights, { averaged }) };
  say(String(await classifier.loadCheckpoint(model, weights)));
  return { model };
}

async function trainedByItself(config: TrainedModelConfig, weights: string, say: Say) {
  expectNothingBeside(config, weights, ["fusion", "classes", "pooling"]);
  const model = await classifier.open(weights, { averaged: config.averaged });
  if (model.loaded) say(String(model.loaded));
  return { model, run: existsSync(join(weights, "metrics.jsonl")) ? await openRun(weights) : undefined };
}

async function describedClassifier(config: TrainedModelConfig, path: Resolve): Promise<Classifier> {
  const { classes, pooling, seed } = config;
  if (classes === undefined) {
    throw new LuvitError("bad-argument", "model.classes: missing; it goes with model.encoder");
  }
  const fusion = await fusionOf(config.fusion, path);
  return classifier.create({ encoder: encoderOf(config.encoder!), fusion, classes, pooling, seed });
}
