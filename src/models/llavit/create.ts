import { LuvitError } from "../../core/errors";
import {
  checkOptions,
  entry,
  list,
  number,
  object,
  oneOf,
  optionsOf,
  seed,
  such,
  text,
  whole,
} from "../../core/options";
import { Rng } from "../../core/rng";
import { bytes, type Tokenizer } from "../../io/tokenizer";
import type { WithinImage } from "../../nn/attentionMask";
import { Classifier } from "../classifier";
import type { PromptTemplate } from "../config";
import { type LanguageModelConfig, LlamaLanguageModel } from "../languageModel";
import type { LlamaConfig } from "../llamaConfig";
import { MaskedAutoencoder } from "../mae";
import { has } from "../options";
import { copiedVisionQkv, freshVisionQkv } from "../visionQkv";
import { ClipTower } from "./clip";
import { Llavit } from "./llavit";
import type { Tower } from "./tower";

/** Parts of a language model that sees, and what sets its tokens of images apart. */
export interface LlavitOptions {
  /** A classifier's or a masked auto-encoder's encoder, plain or with LUViT's path, or CLIP's; frozen. */
  tower: Classifier | MaskedAutoencoder | ClipTower;
  language: LlamaLanguageModel;
  /** Blocks of the tower whose features are read, from 1, one after another on the channels; default the last one. */
  layers?: readonly number[];
  /** q, k and v of their own for tokens of images: copies of the text's, low-rank updates of them, or none (default). */
  visionQkv?: "full" | "lora" | "none";
  /** In which blocks of the language model, from 1; default all. */
  visionBlocks?: readonly number[];
  /** Of low-rank updates; default 4. */
  rank?: number;
  /** Of low-rank updates; default the rank. */
  alpha?: number;
  /** How tokens of an image see each other; default "causal", as LLaVA's. */
  visionMask?: WithinImage;
  tokenizer?: Tokenizer;
  template?: PromptTemplate;
  seed?: number;
}

const textOrNothing = such<string>("a text", (value) => typeof value === "string");
export const templateOptions = object(
  { before: textOrNothing, between: textOrNothing, after: textOrNothing, end: text },
  {},
);

export const llavitOptions = optionsOf<LlavitOptions>(
  {
    tower: such("a classifier, a masked auto-encoder or a CLIP tower", (value) =>
      [Classifier, MaskedAutoencoder, ClipTower].some((kind) => value instanceof kind),
    ),
    language: such(
      "a whole language model, from llavit.languageModel",
      (value) => value instanceof LlamaLanguageModel,
    ),
  },
  {
    layers: entry(list(whole(0, 10_000), 1), "blocks of the tower, from 1", [1, 3, 4]),
    visionQkv: oneOf(["full", "lora", "none"]),
    visionBlocks: list(whole(1, 10_000), 1),
    rank: whole(1, 100_000),
    alpha: number(-1_000_000, 1_000_000),
    visionMask: oneOf(["bidirectional", "causal", "none"]),
    tokenizer: such("a tokenizer, from llavit.tokenizer", (value) => has(value, "encode", "decode", "size")),
    template: templateOptions,
    seed,
  },
);

/**
 * A language model that reads the patches of images. Tower and language model are copied, the tower is frozen. With
 * `visionQkv: "none"` and `visionMask: "causal"` it is LLaVA; copies of the text's projections change nothing until they
 * are trained.
 *
 * @throws LuvitError("bad-argument") naming blocks that are not there, or parts that do not fit.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language, layers: [1, 3, 4], visionQkv: "full", visionMask: "bidirectional" });
 */
export async function create(options: LlavitOptions): Promise<Llavit> {
  checkOptions("llavit.create", llavitOptions, options);
  const { visionMask = "causal", tokenizer = bytes, template, seed: start = 0 } = options;
  const source = options.tower instanceof ClipTower ? options.tower : options.tower.encoder;
  const { layers = [source.config.depth], visionBlocks } = options;
  const { depth } = options.language.config;
  expectBlocks("layers", layers, 0, source.config.depth, "the tower");
  expectBlocks("visionBlocks", visionBlocks ?? [], 1, depth, "the language model");
  expectCausal(options.language.config);
  expectTokens(tokenizer, options.language);
  const tower = (await source.clone()) as Tower;
  const language = await options.language.clone(() => false);
  const preprocessing = options.tower instanceof Classifier ? options.tower.preprocessing : undefined;
  const parts = { tower, language, layers, visionMask, tokenizer, template, preprocessing, seed: start };
  const model = new Llavit(parts);
  await giveVision(model, options);
  return model;
}

async function giveVision({ language }: Llavit, options: LlavitOptions): Promise<void> {
  const { visionQkv = "none", visionBlocks, rank = 4, alpha = rank, seed: start = 0 } = options;
  if (visionQkv === "none") return;
  const rng = new Rng(start).fork("vision qkv");
  for (const [i, { attention }] of language.layers.entries()) {
    if (visionBlocks && !visionBlocks.includes(i + 1)) continue;
    attention.vision =
      visionQkv === "full"
        ? await copiedVisionQkv(attention)
        : freshVisionQkv(attention, { rank, alpha }, rng);
  }
}

function expectBlocks(
  name: string,
  blocks: readonly number[],
  least: number,
  most: number,
  of: string,
): void {
  const absent = blocks.filter((block) => block < least || block > most);
  const doubled = new Set(blocks).size < blocks.length && name === "visionBlocks";
  if (absent.length === 0 && !doubled) return;
  const why =
    absent.length > 0 ? `${absent.join(", ")} of ${of}, which has blocks ${least} to ${most}` : "one twice";
  throw new LuvitError("bad-argument", `llavit.create: ${name}: ${why}`);
}

function expectCausal({ causal }: LlamaConfig & LanguageModelConfig): void {
  if (causal) return;
  const why = "its tokens see later ones, so that it cannot answer token by token";
  throw new LuvitError("bad-argument", `llavit.create: the language model is not causal: ${why}`);
}

/** @throws LuvitError("bad-argument") where a language model has no place for all tokens. */
export function expectTokens(
  { source, size }: Tokenizer,
  { config: { vocabulary } }: LlamaLanguageModel,
): void {
  if (size <= vocabulary) return;
  const counts = `the tokenizer (${source}) has ${size} tokens, the language model's table ${vocabulary}`;
  throw new LuvitError("bad-argument", `llavit.create: ${counts}; they do not belong together`);
}
