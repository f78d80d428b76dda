import { segmentationOptions } from "../analysis/segmentation/evaluate";
import {
  entry,
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
import { segmentHeadOptions } from "../models/segmenter";
import { segmentOptions } from "../train/segment";
import { elsewhere, engine, out, trainingEngine } from "./commonConfig";
import { encoderEntry, fusionEntry } from "./modelConfig";

/** Images with masks, as ImageNet-S has them. */
const masked = object(
  {
    images: entry(text, "images in class folders", "ImageNetS50/validation"),
    masks: entry(text, "masks in class folders", "ImageNetS50/validation-segmentation"),
  },
  { take: entry(whole(1, 1_000_000_000), "only so many images, spread evenly", 1000) },
);

const common = {
  fusion: fusionEntry,
  seed: entry(seed, "of what is initialized here", 0),
};

const segmenterEntries = {
  ...common,
  pretrained: entry(
    text,
    "a run folder of luvit pretrain or finetune, a folder of model.save, or (with encoder) a checkpoint of others",
    "mae_pretrain_vit_base.pth",
  ),
  frozen: entry(flag, "only the head is trained: a linear probe", false),
};

const described = object({}, { encoder: encoderEntry, ...segmenterEntries }, ({ encoder, pretrained }) =>
  encoder || pretrained ? [] : [["encoder", `${encoderEntry.expected}, or \`pretrained\``]],
);

/** A segmenter to be trained. What is printed to start from has an encoder; a run has its own. */
const segmenterModel: typeof described = {
  ...described,
  required: { encoder: encoderEntry } as unknown as typeof described.required,
  optional: segmenterEntries as unknown as typeof described.optional,
};

/** A trained segmenter. */
const trainedSegmenter = object(
  {
    weights: entry(
      text,
      "a run folder of luvit segment, a folder of model.save, or (with encoder and classes) a checkpoint of others",
      "runs/segment",
    ),
  },
  {
    encoder: entry(encoderEntry, `${encoderEntry.about}; a run says it itself`, "base16"),
    classes: entry(segmentHeadOptions.required.classes, "ids told apart, other among them", 51),
    ...common,
    name: entry(text, "what results call it", "LUViT-B/16"),
  },
);

export const segmentConfig = object(
  {
    model: entry(segmenterModel, "what is trained"),
    data: entry(
      object(
        {
          train: entry(masked, "images and masks to train on", {
            images: "ImageNetS50/train-semi",
            masks: "ImageNetS50/train-semi-segmentation",
          }),
        },
        { validation: entry(masked, "scored after every epoch, in squares") },
      ),
      "what it is trained on",
    ),
    recipe: entry(
      oneOf(["segmentSsl", "segmentSslSup", "segmentToy"]),
      "published options; see luvit.recipes",
      "segmentSsl",
    ),
    out,
  },
  {
    options: entry(partly(segmentOptions, [...elsewhere, "validation"]), "instead of the recipe's"),
    engine: trainingEngine,
  },
);

const { protocol, shorterSide, batchSize } = segmentationOptions.optional;

export const segmentEvaluateConfig = object(
  {
    model: entry(trainedSegmenter, "what is scored"),
    data: entry(namedFolders(masked), "sets with masks by name", {
      "ImageNet-S-50": { images: "ImageNetS50/validation", masks: "ImageNetS50/validation-segmentation" },
    }),
    out,
  },
  {
    protocol: entry(protocol, "whole images, as published, or square: faster, and another number", "whole"),
    shorterSide: entry(shorterSide, "of whole images, in pixels; default the model's size / 0.875", 256),
    batchSize: entry(batchSize, "images of one shape at a time", 4),
    recipe: entry(text, "what it was trained with", "segmentSsl"),
    seed: entry(seed, "of the run that trained it", 0),
    engine,
  },
);

export type SegmenterConfig = ValueOf<typeof segmenterModel>;
export type TrainedSegmenterConfig = ValueOf<typeof trainedSegmenter>;
export type MasksConfig = ValueOf<typeof masked>;
