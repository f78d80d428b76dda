import type { RopeScaling } from "../io/llama";
import type { DetectorSettings } from "./detector/settings";

/*
 * What a saved model says of itself: config.json beside model.safetensors. Plain JSON; every entry is required, null
 * where there is nothing, so that no default of a later version changes what weights compute. configSchema.ts checks it
 * and does not compile where the two differ.
 */

type TransformerDescription = {
  dim: number;
  depth: number;
  heads: number;
  mlpRatio: number;
  normEps: number;
};

export type LlamaDescription = {
  dim: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  hiddenDim: number;
  normEps: number;
  causal: boolean;
  slidingWindow: number | null;
  rope: boolean;
  ropeTheta: number;
  ropeScaling: RopeScaling | null;
  rowOrder: "hf" | "meta";
  qkvBias: boolean;
  outputBias: boolean;
  mlpBias: boolean;
  qkNorm: boolean;
};

type FusionDescription = {
  after: number;
  normFirst: boolean;
  residual: boolean;
  mapperBias: boolean;
  /** Between the block and the second mapper. */
  rmsNorm: boolean;
  /** Between the mappers where there is no block. */
  activation: "none" | "gelu" | "gelu-norm";
  /** Between the mappers. */
  width: number;
  block: (LlamaDescription & { depth: number }) | null;
};

export type EncoderConfig = TransformerDescription & {
  imageSize: number;
  patchSize: number;
  finalNorm: boolean;
  fusion: FusionDescription | null;
  /** These only where the ViT has them. */
  registers?: number;
  layerScale?: number;
  mlp?: "swiglu" | "quick-gelu" | "gelu-tanh";
  classToken?: false;
  preNorm?: true;
};

type Preprocessing = {
  size: number;
  resize: "shorterSide" | "none";
  cropRatio: number;
  interpolation: "bicubic";
  mean: number[];
  std: number[];
};

export type BlockSource = {
  /** File, folder or repository, as `llama.loadBlock` takes it; null where it was read from none. */
  checkpoint: string | null;
  /** Which of its blocks, from 1. */
  blocks: number[];
  /** What was said when it was read, e.g. a revision. */
  options: { heads?: number; normEps?: number; ropeTheta?: number; revision?: string };
  /** For people. */
  origin: string;
};

/** Low-rank updates by the path of their linear. */
export type LoraConfig = Record<
  string,
  { rank: number; alpha: number; rankStabilized: boolean; merged: boolean }
>;

/** What every config has beside what its model computes with. */
type CommonConfig = {
  luvitVersion: string;
  lora: LoraConfig;
  /** Paths at and below which nothing is trained. */
  frozen: string[];
  /** Where the language model's block came from. */
  blockSource: BlockSource | null;
  /** Frozen weights that are not in model.safetensors but in the file they were read from. */
  external: Record<string, { source: string; sha256: string }>;
};

export type ClassifierConfig = CommonConfig & {
  modelType: "luvit-classifier";
  encoder: EncoderConfig;
  pooling: "mean" | "cls" | "attention";
  classes: number;
  classNames: string[] | null;
  preprocessing: Preprocessing;
};

export type SegmenterConfig = CommonConfig & {
  modelType: "luvit-segmenter";
  encoder: EncoderConfig;
  classes: number;
  classNames: string[] | null;
  preprocessing: Preprocessing;
};

export type MaeConfig = CommonConfig & {
  modelType: "luvit-mae";
  encoder: EncoderConfig;
  decoder: TransformerDescription;
  normPixLoss: boolean;
  maskRatio: number;
  /** Whether the decoder has no weights but those it was initialized with. */
  decoderIsFresh: boolean;
  preprocessing: Preprocessing;
};

export type DetectorConfig = CommonConfig & {
  modelType: "luvit-detector";
  settings: DetectorSettings;
  fusion: FusionDescription | null;
  classNames: string[] | null;
};

export type LanguageModelDescription = LlamaDescription & {
  depth: number;
  vocabulary: number;
  /** Only where the output layer is the token table. */
  tiedEmbeddings?: true;
  /** Only where something said it. */
  maxPositions?: number;
};

export type LanguageModelFileConfig = CommonConfig &
  LanguageModelDescription & { modelType: "luvit-language-model" };

/** CLIP's image encoder. */
export type ClipConfig = {
  imageSize: number;
  patchSize: number;
  dim: number;
  depth: number;
  heads: number;
  hiddenDim: number;
  normEps: number;
  activation: "quick-gelu" | "gelu";
};

/** Text around an image, a question and its answer: `before` image `between` question `after` answer `end`. */
export type PromptTemplate = { before: string; between: string; after: string; end: string };

export type LlavitConfig = CommonConfig & {
  modelType: "luvit-llavit";
  tower: { kind: "vit"; vit: EncoderConfig } | { kind: "clip"; clip: ClipConfig };
  language: LanguageModelDescription;
  /** Blocks of the tower, from 1; 0 is what enters the first. */
  layers: number[];
  /** Projections of their own for tokens of images, in which blocks of the language model, from 1. */
  visionQkv: { kind: "full" | "lora"; blocks: number[]; rank: number | null; alpha: number | null } | null;
  visionMask: "bidirectional" | "causal" | "none";
  template: PromptTemplate;
  /** "bytes", or the file that the tokenizer was read from. */
  tokenizer: string;
  preprocessing: Preprocessing;
};

/** What a saved model says of itself. */
export type ModelConfig =
  | ClassifierConfig
  | DetectorConfig
  | SegmenterConfig
  | MaeConfig
  | LanguageModelFileConfig
  | LlavitConfig;
