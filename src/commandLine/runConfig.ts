import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LuvitError } from "../core/errors";
import {
  checkOptions,
  entry,
  type Field,
  flag,
  namedFolders,
  object,
  oneOf,
  partly,
  seed,
  text,
  type ValueOf,
  whole,
} from "../core/options";
import { distillOptions } from "../train/distill";
import { evaluateOptions } from "../train/evaluate";
import { finetuneOptions } from "../train/finetune";
import { trainOptions } from "../train/plan";
import { elsewhere, engine, out, trainingEngine } from "./commonConfig";
import { detectConfig, detectEvaluateConfig } from "./detectConfig";
import { expectFile } from "./folders";
import { parseJsonWithComments } from "./jsonc";
import { maeModel, trainedModel, tunedModel } from "./modelConfig";
import { calledBy, type RunCommandName } from "./request";
import { segmentConfig, segmentEvaluateConfig } from "./segmentConfig";

const images = object(
  { path: entry(text, "the folder; from the place of this file", "imagenet") },
  {
    kind: entry(
      oneOf(["folder", "imageNet1k", "huggingFace"]),
      "folder (the default: of class folders), imageNet1k in any of its layouts, huggingFace (Parquet, Arrow)",
      "imageNet1k",
    ),
    part: entry(text, "of imageNet1k (train, val) or huggingFace (a split)", "train"),
    partial: entry(flag, "of imageNet1k: take it as it is, incomplete", false),
    take: entry(whole(1, 1_000_000_000), "only so many images, spread evenly", 1000),
  },
);

/** Longest configuration that is read. */
const MOST_BYTES = 10_000_000;

const training = partly(trainOptions, elsewhere);
const finetuning = partly(finetuneOptions, [...elsewhere, "mix", "augment", "validation"]);
const distilling = partly(distillOptions, [...elsewhere, "mix", "augment", "validation", "cache"]);
const { batchSize } = evaluateOptions.optional;

const trainingData = object(
  { train: entry(images, "images to train on") },
  { validation: entry(images, "evaluated after every epoch") },
);

/** The configuration of each command. */
export const configs = {
  detect: detectConfig,
  detectEvaluate: detectEvaluateConfig,
  segment: segmentConfig,
  segmentEvaluate: segmentEvaluateConfig,
  pretrain: object(
    {
      model: entry(maeModel, "what is trained"),
      data: entry(object({ train: entry(images, "images to train on") }, {}), "what it is trained on"),
      recipe: entry(
        oneOf(["pretrainMae", "pretrainMae1600", "pretrainToy"]),
        "published options; see luvit.recipes",
        "pretrainMae",
      ),
      out,
    },
    { options: entry(training, "instead of the recipe's"), engine: trainingEngine },
  ),
  finetune: object(
    {
      model: entry(tunedModel, "what is trained"),
      data: entry(trainingData, "what it is trained on"),
      recipe: entry(
        oneOf(["finetuneLuvit", "finetuneMae", "supervised", "finetuneToy"]),
        "published options; see luvit.recipes",
        "finetuneLuvit",
      ),
      out,
    },
    { options: entry(finetuning, "instead of the recipe's"), engine: trainingEngine },
  ),
  distill: object(
    {
      model: entry(tunedModel, "the student"),
      teacher: entry(trainedModel, "what it is taught by; stays as it is"),
      data: entry(trainingData, "what it is trained on"),
      recipe: entry(
        oneOf(["distillLuvit", "distillToy"]),
        "this library's own choice, nobody's published; see luvit.recipes",
        "distillLuvit",
      ),
      out,
    },
    { options: entry(distilling, "instead of the recipe's"), engine: trainingEngine },
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
            own: entry(namedFolders(text), "folders of class folders with the model's classes, by name", {
              mine: "images/val",
            }),
          },
        ),
        "folders of the published sets, from the place of this file; those left out are left out of the results",
      ),
      out,
    },
    {
      recipe: entry(text, "what it was trained with, which decides the paper's row", "finetuneLuvit"),
      seed: entry(seed, "of the run that trained it", 0),
      batchSize,
      partial: entry(flag, "take incomplete sets as they are", false),
      engine,
    },
  ),
  entropy: object(
    {
      model: entry(trainedModel, "what is looked into"),
      data: entry(
        namedFolders(
          object(
            {
              images: entry(text, "images in class folders", "ImageNetS50/validation"),
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
      recipe: entry(text, "what it was trained with", "finetuneLuvit"),
      seed: entry(seed, "of the run that trained it", 0),
      batchSize,
      layer: entry(text, "default the last ViT block", "blocks.11"),
      pseudoMasks: entry(flag, "also the pseudo-masks of Table 7", true),
      engine,
    },
  ),
} as const;

export type RunConfig<Name extends RunCommandName> = ValueOf<(typeof configs)[Name]>;
export type ImagesConfig = ValueOf<typeof images>;

/** A configuration and where its paths begin. */
export interface LoadedConfig<Name extends RunCommandName> {
  readonly config: RunConfig<Name>;
  /** A path of the file, from the place of the file. */
  path(relative: string): string;
}

/**
 * Reads a configuration file (JSON, comments allowed).
 * @throws LuvitError("missing-file" | "bad-file" | "bad-argument") listing everything that is wrong with it.
 */
export function loadConfig<Name extends RunCommandName>(command: Name, file: string): LoadedConfig<Name> {
  const value = parseJsonWithComments(file, readText(command, file));
  const where = `${file} (luvit ${calledBy(command)} --print-config shows every entry)`;
  checkOptions(where, configs[command] as Field<unknown>, value);
  const folder = dirname(resolve(file));
  return { config: value as RunConfig<Name>, path: (relative) => resolve(folder, relative) };
}

function readText(command: RunCommandName, file: string): string {
  const advice = `a configuration in JSON; luvit ${calledBy(command)} --print-config > run.json writes one to start from`;
  expectFile(file, advice);
  const { size } = statSync(file);
  if (size <= MOST_BYTES) return readFileSync(file, "utf8");
  throw new LuvitError("bad-file", `${file} is a file of ${size} bytes, expected ${advice}`);
}
