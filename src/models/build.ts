import { LuvitError, listOffenders } from "../core/errors";
import { Rng } from "../core/rng";
import { Linear } from "../nn/layers";
import { Classifier } from "./classifier";
import {
  type BlockSource,
  type ClassifierConfig,
  type DetectorConfig,
  type EncoderConfig,
  type LoraConfig,
  type MaeConfig,
  type ModelConfig,
  modelDifferences,
  type SegmenterConfig,
} from "./config";
import { llamaConfigFrom } from "./describe";
import { Detector } from "./detector/detector";
import { Encoder } from "./encoder";
import type { FusionPlan } from "./fusion";
import { LlamaBlocks } from "./llamaBlock";
import { languageFrom, llavitFrom } from "./llavit/build";
import { LoraLinear } from "./lora";
import { MaskedAutoencoder } from "./mae";
import type { SavableModel } from "./savable";
import { Segmenter } from "./segmenter";
import { usualNormEps, type ViTConfig } from "./vit";

/**
 * The model that a config describes; its weights are still to be loaded.
 * @throws LuvitError("bad-file") listing what this version computes otherwise than the config says.
 */
export async function buildModel(config: ModelConfig, where: string): Promise<SavableModel> {
  const model = await bareModel(config);
  attachUpdates(model, config.lora, where);
  const otherwise = modelDifferences(config, model.describe());
  if (otherwise.length === 0) return model;
  throw new LuvitError(
    "bad-file",
    `${where}: this version cannot build that model\n${listOffenders(otherwise)}`,
  );
}

async function bareModel(config: ModelConfig): Promise<SavableModel> {
  if (config.modelType === "luvit-mae") return maeFrom(config);
  if (config.modelType === "luvit-classifier") return classifierFrom(config);
  if (config.modelType === "luvit-detector") return detectorFrom(config);
  if (config.modelType === "luvit-segmenter") return segmenterFrom(config);
  if (config.modelType === "luvit-llavit") return llavitFrom(config, encoderFrom);
  const { modelType, luvitVersion, lora, frozen, blockSource, external, ...sizes } = config;
  return languageFrom(sizes);
}

function maeFrom({ encoder, decoder, maskRatio, normPixLoss, blockSource }: MaeConfig): MaskedAutoencoder {
  const fusion = fusionFrom(encoder, blockSource);
  return new MaskedAutoencoder({ encoder: vitFrom(encoder), fusion, decoder, maskRatio, normPixLoss });
}

function classifierFrom({ encoder, pooling, classes, ...config }: ClassifierConfig): Classifier {
  const { classNames, preprocessing, blockSource } = config;
  const head = { classes, pooling, classNames: classNames ?? undefined, preprocessing };
  return new Classifier(encoderFrom(encoder, blockSource), head, 0.02);
}

function segmenterFrom({ encoder, classes, ...config }: SegmenterConfig): Segmenter {
  const { classNames, preprocessing, blockSource } = config;
  const head = { classes, classNames: classNames ?? undefined, preprocessing };
  return new Segmenter(encoderFrom(encoder, blockSource), head);
}

function encoderFrom(encoder: EncoderConfig, source: BlockSource | null): Encoder {
  const fusion = fusionFrom(encoder, source);
  const start = { positions: "learned", init: "timm", seed: 0 } as const;
  return new Encoder({ vit: vitFrom(encoder), fusion, finalNorm: encoder.finalNorm, ...start });
}

function detectorFrom({ settings, fusion, classNames, blockSource }: DetectorConfig): Detector {
  const plan = fusionFrom({ fusion }, blockSource);
  return new Detector(settings, { fusion: plan, classNames: classNames ?? undefined });
}

function vitFrom({ finalNorm, fusion, normEps, ...vit }: EncoderConfig): ViTConfig {
  return normEps === usualNormEps ? vit : { ...vit, normEps };
}

function fusionFrom(
  { fusion }: Pick<EncoderConfig, "fusion">,
  source: BlockSource | null,
): FusionPlan | undefined {
  if (!fusion) return undefined;
  const { block: described, ...options } = fusion;
  if (!described) return options;
  const { depth, ...config } = described;
  const { origin = "a saved model", checkpoint = null, options: reading = {}, blocks = [] } = source ?? {};
  const indices = blocks.length === depth ? blocks.map((number) => number - 1) : undefined;
  const from = { checkpoint, options: reading };
  const block = new LlamaBlocks({
    config: llamaConfigFrom(config),
    depth,
    rng: new Rng(0),
    origin,
    layerIndices: indices,
    from,
  });
  return { ...options, block };
}

function attachUpdates(model: SavableModel, lora: LoraConfig, where: string): void {
  const modules = new Map(model.namedModules());
  const strangers = Object.keys(lora).filter((path) => !(modules.get(path) instanceof Linear));
  if (strangers.length > 0) {
    const lines = strangers.map((path) => `lora.${path}: the model has no such linear`);
    throw new LuvitError(
      "bad-file",
      `${where}: this version cannot build that model\n${listOffenders(lines)}`,
    );
  }
  for (const [path, { merged, ...scale }] of Object.entries(lora)) {
    const layer = new LoraLinear(modules.get(path) as Linear, scale, new Rng(0));
    layer.merged = merged;
    model.replaceModule(path, layer);
  }
}
