import { either, entry, flag, object, oneOf, partly, seed, text, type ValueOf } from "../core/options";
import { llamaBlockOptions } from "../io/llama";
import { headOptions } from "../models/classifier";
import { fusionOptions } from "../models/fusion";
import { loraOptions } from "../models/loraOptions";
import { decoderConfig, maeOptions } from "../models/mae";
import { vitConfig } from "../models/vit";

/*
 * What a configuration says of a model: the options of the models themselves, with names for what only code can hold (a
 * preset, a checkpoint in place of its block).
 */

const sizes = ["tiny16", "small16", "base16", "large16", "huge14", "toy"] as const;

const encoder = either(oneOf(sizes), vitConfig);
const decoder = either(oneOf(["decoder512x8", "decoderToy"]), decoderConfig);

/** Each under luvit's own name; what stays frozen, and the seed, follow from the rest of the file. */
const lora = partly(loraOptions, [
  ...(["freeze", "seed"] as const),
  ...(["r", "loraAlpha", "targetModules", "useRslora", "loraDropout"] as const),
]);

const fusion = object(
  { block: entry(text, "checkpoint of a LLaMA-family language model", "huggyllama/llama-7b") },
  {
    number: entry(llamaBlockOptions.optional.block, "which of its blocks, from 1; default the last", 32),
    lora: entry(lora, "LoRA on the block, without which it stays as it is"),
    ...partly(fusionOptions, ["seed"]).optional,
  },
);

export const fusionEntry = entry(
  fusion,
  "the language model's block behind the encoder; left out: a plain ViT",
);

const common = {
  fusion: fusionEntry,
  seed: entry(seed, "of what is initialized here", 0),
};

export const encoderEntry = entry(
  encoder,
  `the ViT: ${sizes.join(", ")}, or { imageSize, patchSize, dim, depth, heads, mlpRatio }`,
  "base16",
);
const decoderEntry = entry(
  decoder,
  "MAE's decoder: decoder512x8, decoderToy, or { dim, depth, heads, mlpRatio }",
  "decoder512x8",
);

/** A masked auto-encoder to be pretrained. */
export const maeModel = object(
  { encoder: encoderEntry, decoder: decoderEntry },
  {
    ...common,
    maskRatio: maeOptions.optional.maskRatio,
    normPixLoss: maeOptions.optional.normPixLoss,
    weights: entry(text, "start from a MAE checkpoint (.pth, .safetensors)", "mae_pretrain_vit_base.pth"),
  },
);

const { pooling } = headOptions.optional;
const { classes } = headOptions.required;

const tunedEntries = {
  ...common,
  pooling,
  pretrained: entry(
    text,
    "a run folder of luvit pretrain, a folder of model.save, a MAE checkpoint; left out: trained from scratch",
    "runs/pretrain",
  ),
  decoder: entry(decoder, "of a MAE checkpoint; default decoder512x8", "decoder512x8"),
};

const tuned = object({}, { encoder: encoderEntry, classes, ...tunedEntries }, (model) =>
  model.pretrained !== undefined
    ? []
    : [
        ...(model.encoder === undefined
          ? [["encoder", `${encoderEntry.expected}, or \`pretrained\``] as const]
          : []),
        ...(model.classes === undefined
          ? [["classes", `${classes.expected}, or \`pretrained\``] as const]
          : []),
      ],
);

/**
 * A classifier to be finetuned, from pretrained weights or from scratch. A run says itself what its model is, and images
 * how many classes there are; what is printed to start from has both.
 */
export const tunedModel: typeof tuned = {
  ...tuned,
  required: { encoder: encoderEntry, classes } as unknown as typeof tuned.required,
  optional: tunedEntries as unknown as typeof tuned.optional,
};

/** A finetuned classifier to be looked at. */
export const trainedModel = object(
  {
    weights: entry(
      text,
      "a run folder of luvit finetune, a folder of model.save, or a finetuned checkpoint",
      "runs/finetune",
    ),
  },
  {
    encoder: entry(encoder, `${encoderEntry.about}; a run says it itself`, "base16"),
    classes: entry(classes, `${classes.about}; a run says it itself`, 1000),
    ...common,
    pooling,
    averaged: entry(flag, "of a run folder: the moving average of the weights instead of these", false),
    name: entry(text, "what results call it", "LUViT-B/16"),
  },
);

export type MaeModelConfig = ValueOf<typeof maeModel>;
export type TunedModelConfig = ValueOf<typeof tunedModel>;
export type TrainedModelConfig = ValueOf<typeof trainedModel>;
export type EncoderConfig = MaeModelConfig["encoder"];
export type DecoderConfig = MaeModelConfig["decoder"];
export type FusionConfig = NonNullable<MaeModelConfig["fusion"]>;
