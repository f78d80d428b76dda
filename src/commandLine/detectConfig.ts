import {
  entry,
  flag,
  list,
  number,
  object,
  oneOf,
  pair,
  partly,
  seed,
  text,
  type ValueOf,
  whole,
} from "../core/options";
import { detectorHeadOptions } from "../models/detector/options";
import { detectOptions } from "../train/detection/options";
import { elsewhere, engine, out, trainingEngine } from "./commonConfig";
import { encoderEntry, fusionEntry } from "./modelConfig";

/** Images with objects, as COCO has them. */
export const scenes = object(
  {
    root: entry(text, "folder with annotations/instances_<part>.json and the images", "coco"),
    part: entry(text, "e.g. train2017", "train2017"),
  },
  {
    images: entry(text, "folder of the images, where it lies elsewhere", "coco/train2017"),
    annotations: entry(text, "the JSON file, where it lies elsewhere", "coco/annotations/mine.json"),
    partial: entry(flag, "leave out images that are not there", false),
    take: entry(whole(1, 1_000_000_000), "only so many images, spread evenly", 1000),
  },
);

const heads = detectorHeadOptions.optional;

const detectorEntries = {
  preset: entry(oneOf(["toy"]), "toy: a small detector for the drawn scenes, its encoder with it", "toy"),
  fusion: fusionEntry,
  pretrained: entry(
    text,
    "a run folder of luvit pretrain or finetune, a folder of model.save, or a checkpoint (MAE, timm, detectron2)",
    "runs/pretrain",
  ),
  masks: heads.masks,
  imageSize: heads.imageSize,
  windowSize: heads.windowSize,
  globalBlocks: entry(
    list(whole(0, 10_000)),
    "blocks that see all tokens; default the last of each quarter",
    [2, 5, 8, 11],
  ),
  normEps: entry(number(0, 1, true), "detectron2 has 1e-6, mmdetection 1e-5", 1e-6),
  seed: entry(seed, "of what is initialized here", 0),
};

const described = object(
  {},
  { encoder: encoderEntry, ...detectorEntries },
  ({ preset, encoder, pretrained }) =>
    preset || encoder || pretrained
      ? []
      : [["encoder", `${encoderEntry.expected}, or \`pretrained\`, or \`preset\``]],
);

/** A detector to be trained. What is printed to start from has an encoder; a run and a preset have their own. */
export const detectorModel: typeof described = {
  ...described,
  required: { encoder: encoderEntry } as unknown as typeof described.required,
  optional: detectorEntries as unknown as typeof described.optional,
};

const training = partly(detectOptions, [...elsewhere, "validation"]);

export const detectConfig = object(
  {
    model: entry(detectorModel, "what is trained"),
    data: entry(
      object(
        { train: entry(scenes, "images to train on") },
        {
          validation: entry(scenes, "looked at after every epoch: AP of boxes, and of masks"),
          scale: entry(pair(number(0, 10, true)), "of large-scale jitter", [0.1, 2]),
        },
      ),
      "what it is trained on",
    ),
    recipe: entry(
      oneOf(["coco", "cocoDetectron2", "detectToy"]),
      "published options; see luvit.recipes",
      "coco",
    ),
    out,
  },
  {
    options: entry(training, "instead of the recipe's"),
    engine: trainingEngine,
  },
);

export const detectEvaluateConfig = object(
  {
    model: entry(
      object(
        { weights: entry(text, "a run folder of luvit detect, or a folder of model.save", "runs/detect") },
        { name: entry(text, "what results call it", "LUViT-B/16") },
      ),
      "what is evaluated",
    ),
    data: entry(scenes, "images to look at"),
    out,
  },
  {
    recipe: entry(text, "what it was trained with", "coco"),
    seed: entry(seed, "of the run that trained it", 0),
    engine,
  },
);

export type DetectConfig = ValueOf<typeof detectConfig>;
export type ScenesConfig = ValueOf<typeof scenes>;
