import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { engineChoices } from "../engine";
import type { CommandName } from "./help";
import { parseJsonWithComments } from "./jsonc";
import { maeModel, trainedModel, tunedModel } from "./modelConfig";
import {
  entry,
  flag,
  named,
  number,
  type ObjectField,
  object,
  oneOf,
  pair,
  text,
  type ValueOf,
  whole,
} from "./schema";

const positive = number(0, undefined, true);

const pictures = object(
  { path: entry(text, "the folder; from the place of this file", "imagenet") },
  {
    kind: entry(
      oneOf(["folder", "imageNet1k", "huggingFace"]),
      "folder (the default: of class folders), imageNet1k in any of its layouts, huggingFace (Parquet, Arrow)",
      "imageNet1k",
    ),
    part: entry(text, "of imageNet1k (train, val) or huggingFace (a split)", "train"),
    partial: entry(flag, "of imageNet1k: take it as it is, incomplete", false),
    take: entry(whole(), "only so many pictures, spread evenly", 1000),
  },
);

const engine = object(
  {},
  {
    engine: entry(oneOf(engineChoices.engine), "default auto", "auto"),
    precision: entry(oneOf(engineChoices.precision), "of matrix products", "float32"),
    threads: entry(whole(), "default as many as there are cores", 8),
    provider: entry(oneOf(engineChoices.provider), "what computes", "cpu"),
    frozen: entry(oneOf(engineChoices.frozen), "frozen weights in eight bits", "int8"),
    memory: entry(oneOf(["recompute"]), "blocks again instead of keeping what they computed", "recompute"),
  },
);

const training = {
  epochs: entry(whole(), "passes over the pictures", 800),
  batchSize: entry(whole(), "pictures per batch", 64),
  accumulate: entry(whole(), "batches per step", 64),
  lr: entry(positive, "peak rate", 2.4e-3),
  baseLr: entry(positive, "peak rate / (effective batch / 256), instead of lr", 1.5e-4),
  minLr: entry(number(), "rate at the end", 0),
  warmupEpochs: entry(number(), "epochs of warm-up", 40),
  warmupLr: entry(
    number(),
    "rate that the warm-up begins with, and then one rate per epoch, as timm has it",
    1e-6,
  ),
  cooldownEpochs: entry(whole(0), "further epochs at minLr", 10),
  weightDecay: entry(number(), "AdamW's", 0.05),
  betas: entry(pair(number(0, 1)), "AdamW's", [0.9, 0.95]),
  seed: entry(whole(0), "of order, augmentation and masks", 0),
  checkpointEvery: entry(whole(), "epochs between checkpoints", 1),
  keepCheckpoints: entry(whole(), "checkpoints kept", 2),
} as const;

const finetuning = {
  ...training,
  layerDecay: entry(positive, "factor on the rate from layer to layer", 0.75),
  dropPath: entry(number(0, 1), "of the last block", 0.1),
  smoothing: entry(number(0, 1), "of labels", 0.1),
  repeatedAugmentation: entry(whole(), "times that each picture of an epoch comes, augmented anew", 3),
  emaDecay: entry(
    number(0, 1),
    "of a moving average of the weights, evaluated and saved beside them",
    0.99996,
  ),
} as const;

const out = entry(
  text,
  "folder for checkpoints, metrics and results; from the place of this file",
  "runs/mine",
);
const engineEntry = entry(engine, "what it runs on");

/** The configuration of each command. */
export const configs = {
  pretrain: object(
    {
      model: entry(maeModel, "what is trained"),
      data: entry(object({ train: entry(pictures, "pictures to train on") }, {}), "what it is trained on"),
      recipe: entry(
        oneOf(["maePretrain", "maePretrain1600", "toyPretrain"]),
        "published options; see luvit.recipes",
        "maePretrain",
      ),
      out,
    },
    { options: entry(object({}, training), "instead of the recipe's"), engine: engineEntry },
  ),
  finetune: object(
    {
      model: entry(tunedModel, "what is trained"),
      data: entry(
        object(
          { train: entry(pictures, "pictures to train on") },
          { validation: entry(pictures, "evaluated after every epoch") },
        ),
        "what it is trained on",
      ),
      recipe: entry(
        oneOf(["finetune", "finetuneMae", "supervised", "toyFinetune"]),
        "published options; see luvit.recipes",
        "finetune",
      ),
      out,
    },
    { options: entry(object({}, finetuning), "instead of the recipe's"), engine: engineEntry },
  ),
  evaluate: object(
    {
      model: entry(trainedModel, "what is evaluated"),
      data: entry(
        object(
          {},
          {
            in1k: entry(text, "ImageNet-1K, validation: folders, or Hugging Face's tables", "imagenet"),
            a: entry(text, "ImageNet-A", "imagenet-a"),
            r: entry(text, "ImageNet-R", "imagenet-r"),
            v2: entry(text, "ImageNet-V2, matched frequency", "imagenetv2-matched-frequency-format-val"),
            sketch: entry(text, "ImageNet-Sketch", "sketch"),
            c: entry(text, "ImageNet-C", "imagenet-c"),
            in9: entry(text, "ImageNet-9 (original, mixed_same, mixed_rand)", "bg_challenge"),
            own: entry(named(text), "folders of class folders with the model's classes, by name", {
              mine: "pictures/val",
            }),
          },
        ),
        "folders of the published sets, from the place of this file; those left out are left out of the results",
      ),
      out,
    },
    {
      recipe: entry(text, "what it was trained with, which decides the paper's row", "finetune"),
      seed: entry(whole(0), "of the run that trained it", 0),
      batchSize: entry(whole(), "pictures at a time", 32),
      partial: entry(flag, "take incomplete sets as they are", false),
      engine: engineEntry,
    },
  ),
  entropy: object(
    {
      model: entry(trainedModel, "what is looked into"),
      data: entry(
        named(
          object(
            {
              images: entry(text, "pictures in class folders", "ImageNetS50/validation"),
              masks: entry(text, "masks in class folders", "ImageNetS50/validation-segmentation"),
            },
            {},
          ),
        ),
        "sets with masks by name; ImageNet-S-50, -300 and -919 are printed beside the paper's numbers",
        {
          "ImageNet-S-50": { images: "ImageNetS50/validation", masks: "ImageNetS50/validation-segmentation" },
        },
      ),
      out,
    },
    {
      recipe: entry(text, "what it was trained with", "finetune"),
      seed: entry(whole(0), "of the run that trained it", 0),
      batchSize: entry(whole(), "pictures at a time", 16),
      layer: entry(text, "default the last ViT block", "blocks.11"),
      pseudoMasks: entry(flag, "also the pseudo-masks of Table 7", true),
      engine: engineEntry,
    },
  ),
} as const;

export type RunConfig<Name extends CommandName> = ValueOf<(typeof configs)[Name]>;
export type PicturesConfig = ValueOf<typeof pictures>;
export type EngineConfig = ValueOf<typeof engine>;

/** A configuration and where its paths begin. */
export interface LoadedConfig<Name extends CommandName> {
  readonly config: RunConfig<Name>;
  /** A path of the file, from the place of the file. */
  path(relative: string): string;
}

/**
 * Reads a configuration file (JSON, comments allowed).
 * @throws LuvitError("missing-file" | "bad-file" | "bad-argument") listing everything that is wrong with it.
 */
export function loadConfig<Name extends CommandName>(command: Name, file: string): LoadedConfig<Name> {
  if (!existsSync(file)) {
    const advice = `luvit ${command} --print-config > ${file} writes one to start from`;
    throw new LuvitError("missing-file", `${file}: no such file; ${advice}`);
  }
  const value = parseJsonWithComments(file, readFileSync(file, "utf8"));
  const problems: string[] = [];
  (configs[command] as ObjectField<unknown>).check(value, "", problems);
  if (problems.length > 0) {
    const advice = `luvit ${command} --print-config shows every entry`;
    throw new LuvitError("bad-argument", `${file}: ${advice}\n${listOffenders(problems)}`);
  }
  const folder = dirname(resolve(file));
  return { config: value as RunConfig<Name>, path: (relative) => resolve(folder, relative) };
}
