import { existsSync } from "node:fs";
import { LuvitError } from "../../core/errors";
import { Rng } from "../../core/rng";
import { bytes, readTokenizer, type Tokenizer } from "../../io/tokenizer";
import type { BlockSource, EncoderConfig, LanguageModelDescription, LlavitConfig } from "../config";
import { llamaConfigFrom } from "../describe";
import type { Encoder } from "../encoder";
import { LlamaLanguageModel } from "../languageModel";
import { freshVisionQkv } from "../visionQkv";
import { ClipTower } from "./clip";
import { Llavit } from "./llavit";

/** The language model of a description, its weights still to be loaded. */
export function languageFrom(description: LanguageModelDescription): LlamaLanguageModel {
  const { depth, vocabulary, tiedEmbeddings, maxPositions, ...block } = description;
  const tied = tiedEmbeddings ? { tiedEmbeddings } : {};
  const most = maxPositions === undefined ? {} : { maxPositions };
  return new LlamaLanguageModel({ ...llamaConfigFrom(block), depth, vocabulary, ...tied, ...most });
}

/** The model of a config, its weights still to be loaded. */
export async function llavitFrom(
  config: LlavitConfig,
  encoderFrom: (encoder: EncoderConfig, source: BlockSource | null) => Encoder,
): Promise<Llavit> {
  const { tower: described, layers, visionMask, visionQkv, template, preprocessing } = config;
  const tower =
    described.kind === "vit" ? encoderFrom(described.vit, config.blockSource) : new ClipTower(described.clip);
  const language = languageFrom(config.language);
  const tokenizer = await tokenizerFrom(config.tokenizer);
  const model = new Llavit({ tower, language, layers, visionMask, tokenizer, template, preprocessing });
  if (!visionQkv) return model;
  const { kind, blocks, rank, alpha } = visionQkv;
  const update = kind === "lora" ? { rank: rank ?? 1, alpha: alpha ?? 1 } : undefined;
  for (const [i, { attention }] of language.layers.entries())
    if (blocks.includes(i + 1)) attention.vision = freshVisionQkv(attention, update, new Rng(0));
  return model;
}

/** The tokenizer that a config names; where its file is gone, one that says so when it is needed. */
export async function tokenizerFrom(source: string): Promise<Tokenizer> {
  if (source === bytes.source) return bytes;
  if (existsSync(source)) return readTokenizer(source);
  const missing = (): never => {
    const advice = "put it back, or name another in the tokenizer entry of config.json";
    throw new LuvitError("missing-file", `${source}: the model's tokenizer is not there; ${advice}`);
  };
  return { source, size: 0, begin: [], encode: missing, decode: missing };
}
