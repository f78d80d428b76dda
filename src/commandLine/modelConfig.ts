import { either, entry, flag, list, number, object, oneOf, text, type ValueOf, whole } from "./schema";

const sizes = ["tiny16", "small16", "base16", "large16", "huge14", "toy"] as const;

const encoder = either(
  oneOf(sizes),
  object(
    {
      imageSize: entry(whole(), "pixels", 224),
      patchSize: entry(whole(), "pixels", 16),
      dim: entry(whole(), "width", 768),
      depth: entry(whole(), "blocks", 12),
      heads: entry(whole(), "attention heads", 12),
      mlpRatio: entry(number(0, undefined, true), "hidden width of the MLP / width", 4),
    },
    {},
  ),
);

const decoder = either(
  oneOf(["decoder512x8", "decoderToy"]),
  object(
    {
      dim: entry(whole(), "width", 512),
      depth: entry(whole(), "blocks", 8),
      heads: entry(whole(), "attention heads", 16),
      mlpRatio: entry(number(0, undefined, true), "hidden width of the MLP / width", 4),
    },
    {},
  ),
);

const lora = object(
  {},
  {
    rank: entry(whole(), "rank r", 16),
    alpha: entry(number(0, undefined, true), "scale numerator; default the rank", 16),
    targets: entry(list(text), "what it is attached to", ["q_proj", "v_proj"]),
  },
);

const fusion = object(
  { block: entry(text, "checkpoint of a LLaMA-family language model", "huggyllama/llama-7b") },
  {
    number: entry(whole(), "which of its blocks, from 1; default the last", 32),
    lora: entry(lora, "LoRA on the block, without which it stays as it is"),
    after: entry(whole(0), "ViT blocks before it; default all", 12),
    normFirst: entry(flag, "the encoder's final norm before it instead of behind", false),
    residual: entry(flag, "tokens also pass by it", false),
    mapperBias: entry(flag, "biases in the two mappers", false),
  },
);

const common = {
  fusion: entry(fusion, "the language model's block behind the encoder; left out: a plain ViT"),
  seed: entry(whole(0), "of what is initialized here", 0),
};

const encoderEntry = entry(
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
    maskRatio: entry(number(0, 1, true), "share of patches removed", 0.75),
    weights: entry(text, "start from a MAE checkpoint (.pth, .safetensors)", "mae_pretrain_vit_base.pth"),
  },
);

const pooling = entry(
  oneOf(["mean", "cls"]),
  "what the head sees: the mean of the patches, or the class token",
  "mean",
);

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
const classes = entry(whole(2), "classes the head tells apart", 1000);

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
    classes: entry(whole(2), "classes the head tells apart; a run says it itself", 1000),
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
