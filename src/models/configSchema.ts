import type * as Zod from "zod";
import { zod } from "../core/options/zod";
import type { ModelConfig } from "./configTypes";
import { llamaSchema } from "./llamaSchema";

function schemas(z: typeof Zod) {
  const count = z.int().min(1).max(1e6);
  const depth = z.int().min(1).max(1000);
  const positive = z.number().positive();
  const text = z.string().min(1);
  const flag = z.boolean();

  const transformer = { dim: count, depth, heads: count, mlpRatio: positive, normEps: positive };

  const llama = llamaSchema(z);

  const fusion = z.strictObject({
    after: z.int().min(0),
    normFirst: flag,
    residual: flag,
    mapperBias: flag,
    /** Between the block and the second mapper. */
    rmsNorm: flag,
    /** Between the mappers where there is no block. */
    activation: z.enum(["none", "gelu", "gelu-norm"]),
    /** Between the mappers. */
    width: count,
    block: z.strictObject({ ...llama, depth }).nullable(),
  });

  const encoder = z.strictObject({
    imageSize: count,
    patchSize: count,
    ...transformer,
    finalNorm: flag,
    fusion: fusion.nullable(),
    registers: count.optional(),
    layerScale: positive.optional(),
    mlp: z.enum(["swiglu", "quick-gelu", "gelu-tanh"]).optional(),
    classToken: z.literal(false).optional(),
    preNorm: z.literal(true).optional(),
  });

  /** One linear's low-rank update. */
  const update = z.strictObject({ rank: count, alpha: z.number(), rankStabilized: flag, merged: flag });

  const preprocessing = z.strictObject({
    size: count,
    resize: z.enum(["shorterSide", "none"]),
    cropRatio: positive.max(1),
    interpolation: z.literal("bicubic"),
    mean: z.array(z.number()).length(3),
    std: z.array(positive).length(3),
  });

  const blockSource = z.strictObject({
    /** File, folder or repository, as `llama.loadBlock` takes it; null where it was read from none. */
    checkpoint: text.nullable(),
    /** Which of its blocks, from 1. */
    blocks: z.array(count),
    /** What was said when it was read, e.g. a revision. */
    options: z.strictObject({
      heads: count.optional(),
      normEps: positive.optional(),
      ropeTheta: positive.optional(),
      revision: text.optional(),
    }),
    /** For people. */
    origin: z.string(),
  });

  /** What every config has beside what its model computes with. */
  const common = {
    luvitVersion: text,
    /** Low-rank updates by the path of their linear. */
    lora: z.record(z.string(), update),
    /** Paths at and below which nothing is trained. */
    frozen: z.array(text),
    /** Where the language model's block came from. */
    blockSource: blockSource.nullable(),
    /** Frozen weights that are not in model.safetensors but in the file they were read from. */
    external: z.record(
      z.string(),
      z.strictObject({ source: text, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    ),
  };

  /** What tells classes apart, of images or of patches. */
  const labeling = {
    encoder,
    classes: z.int().min(2),
    classNames: z.array(z.string()).nullable(),
    preprocessing,
  };

  const classifier = z.strictObject({
    modelType: z.literal("luvit-classifier"),
    pooling: z.enum(["mean", "cls", "attention"]),
    ...labeling,
    ...common,
  });

  const segmenter = z.strictObject({ modelType: z.literal("luvit-segmenter"), ...labeling, ...common });

  const mae = z.strictObject({
    modelType: z.literal("luvit-mae"),
    encoder,
    decoder: z.strictObject(transformer),
    normPixLoss: flag,
    maskRatio: z.number().min(0).max(1),
    /** Whether the decoder has no weights but those it was initialized with. */
    decoderIsFresh: flag,
    preprocessing,
    ...common,
  });

  const share = positive.max(1);
  const byMode = z.strictObject({ train: count, test: count });
  const weights = z.tuple([positive, positive, positive, positive]);
  const sampling = { lowQuality: flag, perImage: count, objectShare: share };
  const thresholds = z.union([z.tuple([share]), z.tuple([share, share])]);

  const regions = z.strictObject({
    sizes: z.array(z.array(positive).min(1)).length(5),
    ratios: z.array(positive).min(1),
    offset: z.number(),
    thresholds,
    ...sampling,
    weights,
    perLevel: byMode,
    proposals: byMode,
    overlap: share,
  });

  const rois = z.strictObject({
    convolutions: z.int().min(0).max(100),
    channels: count,
    hidden: count,
    boxBins: count,
    maskBins: count,
    thresholds,
    ...sampling,
    weights,
    canonicalSize: positive,
    canonicalLevel: z.int(),
    detections: z.strictObject({ scoreThreshold: z.number().min(0), threshold: share, perImage: count }),
  });

  const windowed = z.strictObject({
    imageSize: count,
    patchSize: count,
    ...transformer,
    windowSize: count,
    globalBlocks: z.array(z.int().min(0)),
    pretrainImageSize: count,
  });

  const detector = z.strictObject({
    modelType: z.literal("luvit-detector"),
    settings: z.strictObject({
      encoder: windowed,
      classes: count,
      masks: flag,
      pyramid: count,
      normEps: positive,
      regions,
      rois,
    }),
    fusion: fusion.nullable(),
    classNames: z.array(z.string()).nullable(),
    ...common,
  });

  /** Only where the output layer is the token table there is an entry that says so. */
  const tiedEmbeddings = z.literal(true).optional();
  const maxPositions = count.optional();
  const language = { ...llama, depth, vocabulary: count, tiedEmbeddings, maxPositions };

  const languageModel = z.strictObject({
    modelType: z.literal("luvit-language-model"),
    ...language,
    ...common,
  });

  const clip = z.strictObject({
    imageSize: count,
    patchSize: count,
    dim: count,
    depth,
    heads: count,
    hiddenDim: count,
    normEps: positive,
    activation: z.enum(["quick-gelu", "gelu"]),
  });

  const llavit = z.strictObject({
    modelType: z.literal("luvit-llavit"),
    tower: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("vit"), vit: encoder }),
      z.strictObject({ kind: z.literal("clip"), clip }),
    ]),
    language: z.strictObject(language),
    /** Blocks of the tower, from 1; 0 is what enters the first. */
    layers: z.array(z.int().min(0)).min(1),
    visionQkv: z
      .strictObject({
        kind: z.enum(["full", "lora"]),
        /** Of the language model, from 1. */
        blocks: z.array(count).min(1),
        rank: count.nullable(),
        alpha: z.number().nullable(),
      })
      .nullable(),
    visionMask: z.enum(["bidirectional", "causal", "none"]),
    template: z.strictObject({ before: z.string(), between: z.string(), after: z.string(), end: text }),
    tokenizer: text,
    preprocessing,
    ...common,
  });

  const kinds = [classifier, detector, segmenter, mae, languageModel, llavit] as const;
  const config = z.discriminatedUnion("modelType", kinds);

  return config satisfies Zod.ZodType<ModelConfig>;
}

type Schema = ReturnType<typeof schemas>;

let made: Schema | undefined;

/** The schema of config.json, made when the first one is read or written. */
export function configSchema(): Schema {
  made ??= schemas(zod());
  return made;
}
