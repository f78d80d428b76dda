import {
  entry,
  flag,
  list,
  number,
  object,
  oneOf,
  optionsOf,
  type Rule,
  seed,
  shareBelowOne,
  such,
  text,
  whole,
} from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import { extras, llamaBlockOptions, storedDtype } from "../io/options";
import type { RopeScaling } from "../io/ropeScaling";
import { epsilon, headCount, width } from "../nn/options";
import type { Classifier, ClassifierOptions, HeadOptions } from "./classifier";
import type { FusionOptions, FusionPlan, MlpActivation } from "./fusion";
import type { LanguageModelConfig } from "./languageModel";
import type { LoadBlockOptions } from "./llama";
import type { LlamaBlock, LlamaConfig } from "./llamaBlock";
import type { LoraOptions } from "./lora";
import type { DecoderConfig, MaeOptions, MaskedAutoencoder } from "./mae";
import type { OpenClassifierOptions } from "./openClassifier";
import type { FitOptions } from "./pretrained";
import type { SaveCheckpointOptions } from "./saveCheckpoint";
import type { ViTConfig } from "./vit";

/** Most patches of an image: attention over more takes 17 GB a head. */
const MOST_PATCHES = 65_536;
/** Most numbers in a stack of blocks: 80 GB of float32. */
const MOST_WEIGHTS = 2e10;

const pixels = whole(1, 16_384);
const depth = entry(whole(1, 10_000), "blocks", 12);
const dim = entry(width, "width", 768);
const heads = entry(headCount, "attention heads", 12);
const mlpRatio = entry(number(0, 1024, true), "hidden width of the MLP / width", 4);

/** What is wrong with a stack of blocks as a whole. */
const stackFits: Rule<DecoderConfig> = ({
  dim: wide = 0,
  depth: deep = 0,
  heads: many = 1,
  mlpRatio: ratio = 0,
}) => {
  const weights = deep * wide ** 2 * (4 + 2 * ratio);
  const wrong: [name: string, expected: string][] = [];
  if (wide % many !== 0) wrong.push(["dim", `a multiple of heads (${many})`]);
  if (weights > MOST_WEIGHTS) {
    const much = `${wide} wide and with mlpRatio ${ratio} it holds ${weights.toExponential(1)} weights`;
    wrong.push(["depth", `blocks of at most ${MOST_WEIGHTS.toExponential(0)} weights (${much})`]);
  }
  return wrong;
};

const patchesFit: Rule<ViTConfig> = ({ imageSize = 0, patchSize = 1 }) => {
  if (imageSize % patchSize !== 0) return [["imageSize", `a multiple of patchSize (${patchSize})`]];
  const patches = (imageSize / patchSize) ** 2;
  if (patches <= MOST_PATCHES) return [];
  return [["imageSize", `at most ${MOST_PATCHES} patches (it makes ${patches} with patchSize ${patchSize})`]];
};

/** Shape of a vision transformer. */
export const vitConfig = optionsOf<ViTConfig>(
  {
    imageSize: entry(pixels, "pixels", 224),
    patchSize: entry(pixels, "pixels", 16),
    dim,
    depth,
    heads,
    mlpRatio,
  },
  {},
  patchesFit,
  stackFits,
);

/** One block's part of it. */
export const blockSizes = object({ dim, heads, mlpRatio }, {}, stackFits);
export const attentionSizes = object({ dim, heads }, {}, stackFits);

/** Shape of MAE's decoder. */
export const decoderConfig = optionsOf<DecoderConfig>({ dim, depth, heads, mlpRatio }, {}, stackFits);

const has = (value: unknown, ...names: string[]) =>
  typeof value === "object" && value !== null && names.every((name) => name in value);

export const llamaBlockField = such<LlamaBlock>(
  "a LLaMA block, from llama.loadBlock or baselines.randomBlock",
  (value) => has(value, "config", "layers", "withNorm"),
);

/** A model, for what takes any. */
export const modelField = such<{ namedParameters(): unknown }>("a model", (value) =>
  has(value, "namedParameters", "namedModules"),
);

export const classifierField = such<Classifier>(
  "a classifier, from classifier.create, fromPretrained or open",
  (value) => has(value, "encoder", "head", "classes"),
);

export const maeField = such<MaskedAutoencoder>("a masked auto-encoder, from mae.create", (value) =>
  has(value, "encoder", "decoder_blocks"),
);

export const fusionOptions = optionsOf<FusionOptions>(
  {},
  {
    after: entry(whole(0, 10_000), "ViT blocks before it; default all", 12),
    normFirst: entry(flag, "the encoder's final norm before it instead of behind", false),
    rmsNorm: flag,
    residual: entry(flag, "tokens also pass by it", false),
    mapperBias: entry(flag, "biases in the two mappers", false),
    seed,
  },
);

export const mlpFusionOptions = optionsOf<FusionOptions & { activation?: MlpActivation }>(
  {},
  { ...fusionOptions.optional, activation: oneOf(["none", "gelu", "gelu-norm"]) },
);

/** What `fusion.mlp` makes. */
export const mlpPlan = object({ width }, mlpFusionOptions.optional);

export const fusionPlan = optionsOf<FusionPlan>(
  { width },
  { ...mlpFusionOptions.optional, block: llamaBlockField },
);

const fusion = such<LlamaBlock | FusionPlan>(
  "a LLaMA block, from llama.loadBlock or baselines.randomBlock, or a plan of fusion.* or baselines.*",
  (value) => has(value, "config", "layers", "withNorm") || has(value, "width"),
);

const preprocessing = optionsOf<Preprocessing>(
  {
    size: whole(1, 16_384),
    resize: oneOf(["shorterSide", "none"]),
    cropRatio: number(0, 1, true),
    interpolation: oneOf(["bicubic"]),
    mean: list(number(), 3),
    std: list(number(0, undefined, true), 3),
  },
  {},
);

export const headOptions = optionsOf<HeadOptions>(
  { classes: entry(whole(2, 1_000_000), "classes the head tells apart", 1000) },
  { pooling: oneOf(["mean", "cls"]), seed, classNames: list(text, 1), preprocessing },
);

export const classifierOptions = optionsOf<ClassifierOptions>(
  { ...headOptions.required, encoder: vitConfig },
  { ...headOptions.optional, fusion },
);

export const maeOptions = optionsOf<MaeOptions>(
  { encoder: vitConfig },
  {
    fusion,
    decoder: decoderConfig,
    maskRatio: entry(shareBelowOne, "share of patches removed", 0.75),
    normPixLoss: flag,
    seed,
  },
);

const ropeScaling = such<RopeScaling>("how rotary positions are scaled: { type, … }", (value) =>
  has(value, "type"),
);

/** Shape and switches of a block of the LLaMA family. */
export const llamaConfig = optionsOf<LlamaConfig>(
  {
    dim: width,
    heads: headCount,
    hiddenDim: width,
    normEps: epsilon,
    ropeTheta: number(0, 1e12, true),
    causal: flag,
    rope: flag,
    rowOrder: oneOf(["hf", "meta"]),
  },
  {
    kvHeads: headCount,
    headDim: width,
    ropeScaling,
    slidingWindow: whole(1),
    qkvBias: flag,
    outputBias: flag,
    mlpBias: flag,
    qkNorm: flag,
  },
);

/** Blocks in a row. */
export const blocksOfLlama = object({ config: llamaConfig, depth: whole(1, 10_000) }, {});

export const seedOption = object({ seed }, {});

export const languageModelConfig = optionsOf<LanguageModelConfig>(
  { ...llamaConfig.required, depth: whole(1, 10_000), vocabulary: whole(2, 100_000_000) },
  llamaConfig.optional,
);

export const randomBlockOptions = object({}, { depth: whole(1, 10_000), seed });

export const loadBlockOptions = optionsOf<LoadBlockOptions>(
  {},
  { ...llamaBlockOptions.optional, causal: flag, rope: flag },
);

const rank = entry(whole(1, 100_000), "rank r", 16);
const alpha = entry(number(0, 1_000_000, true), "scale numerator; default the rank", 16);
const targets = entry(list(text, 1), "what it is attached to", ["q_proj", "v_proj"]);

/** One thing has two names, of which only one may be given. */
const oneName: Rule<LoraOptions> = (options) =>
  (
    [
      ["rank", "r"],
      ["alpha", "loraAlpha"],
      ["targets", "targetModules"],
      ["rankStabilised", "useRslora"],
    ] as const
  ).flatMap(([own, peft]) =>
    options[own] !== undefined && options[peft] !== undefined
      ? [[peft, `to be left out, because ${own} is given`] as const]
      : [],
  );

export const loraOptions = optionsOf<LoraOptions>(
  {},
  {
    rank,
    alpha,
    targets,
    rankStabilised: flag,
    freeze: flag,
    seed,
    r: rank,
    loraAlpha: alpha,
    targetModules: targets,
    useRslora: flag,
    loraDropout: such<0>("0 (LoRA trains without dropout here)", (value) => value === 0),
  },
  oneName,
);

export const saveCheckpointOptions = optionsOf<SaveCheckpointOptions>(
  {},
  { dtype: storedDtype, leaveOut: list(text), extras },
);

export const fitOptions = optionsOf<FitOptions>({}, { positions: oneOf(["mae", "timm"]), key: text });

/** Which of a file's weights. */
export const partOptions = object({}, { key: text });

export const openClassifierOptions = optionsOf<OpenClassifierOptions>(
  {},
  { heads: headCount, key: text, averaged: flag, block: text },
);
