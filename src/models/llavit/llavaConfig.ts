import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import type { JsonObject } from "../../io/bytes";
import { ConfigFields, type LlamaFileHints, llamaHints } from "../../io/llama";
import type { ClipConfig } from "../config";
import type { LanguageModelConfig } from "../languageModel";

/** Shapes of tensors by name. */
export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** What a LLaVA checkpoint is made of. */
export interface LlavaSizes {
  clip: ClipConfig;
  language: LanguageModelConfig;
  layers: number[];
}

/** What configs leave out because it is the default of transformers' CLIPVisionConfig and LlamaConfig. */
const clipDefaults = {
  heads: 12,
  normEps: 1e-5,
  patchSize: 32,
  imageSize: 224,
  activation: "quick_gelu",
} as const;
const llamaDefaults = { heads: 32, normEps: 1e-6, ropeTheta: 10000 } as const;

/**
 * Sizes of a LLaVA in Hugging Face's layout: what its config says, what it leaves to defaults, and the widths of its tensors
 * (under the names here). Reference: transformers models/llava/configuration_llava.py.
 *
 * @throws LuvitError("bad-file") listing every entry that says something else than this library computes.
 */
export function llavaSizes(path: string, config: JsonObject, tensors: Shapes): LlavaSizes {
  const fields = new ConfigFields(config);
  fields.require("model_type", ["llava"]);
  fields.require("vision_feature_select_strategy", [undefined, "default"]);
  fields.require("projector_hidden_act", [undefined, "gelu"]);
  fields.require("multimodal_projector_bias", [undefined, true]);
  if (config.mm_vision_tower !== undefined && config.vision_config === undefined) {
    const where = `its tower is another checkpoint (${brief(config.mm_vision_tower)})`;
    const advice =
      "take one that was converted for transformers, with tower and vision_config in it (llava-hf/…)";
    throw new LuvitError("bad-file", `${path}: a LLaVA in its authors' own layout: ${where}; ${advice}`);
  }
  const vision = fields.inside("vision_config");
  vision.require("model_type", ["clip_vision_model"]);
  vision.require("hidden_act", [undefined, "quick_gelu", "gelu"]);
  const clip = clipSizes(vision, config.vision_config as JsonObject | undefined, tensors);
  const layers = featureLayers(config.vision_feature_layer ?? -2, clip.depth);
  const wrong = [...fields.faults];
  if (!layers)
    wrong.push(
      `vision_feature_layer: expected blocks of ${clip.depth}, got ${JSON.stringify(config.vision_feature_layer)}`,
    );
  if (clip.imageSize % clip.patchSize !== 0)
    wrong.push(`vision_config: image_size ${clip.imageSize} is no multiple of patch_size ${clip.patchSize}`);
  wrong.push(...depthFaults("vision_config", clip.depth, depthOf(tensors, clipBlock)));
  const hints = llamaHints(`${path}, text_config`, (config.text_config ?? {}) as JsonObject);
  wrong.push(...depthFaults("text_config", hints.layers, depthOf(tensors, llamaBlock)));
  if (wrong.length > 0 || !layers) {
    throw new LuvitError("bad-file", `${path}: no LLaVA that can be opened\n${listOffenders(wrong)}`);
  }
  return { clip, language: languageSizes(hints, tensors), layers };
}

const widthOf = (tensors: Shapes, key: string, axis: number) => tensors.get(key)?.shape[axis] ?? 1;

const clipBlock = /^vision_tower\.layers\.(\d+)\./;
const llamaBlock = /^layers\.(\d+)\./;

/** Blocks that the tensors name. */
function depthOf(tensors: Shapes, prefix: RegExp): number {
  const numbers = [...tensors.keys()].flatMap((key) => prefix.exec(key)?.[1] ?? []);
  return new Set(numbers).size;
}

/** A model is made block by block, before its tensors are looked for: as many as the file has. */
function depthFaults(where: string, said: number | undefined, found: number): string[] {
  if (found === 0) return [`${where}: the file has no tensors of its blocks`];
  if (said === undefined || said === found) return [];
  return [`${where}: num_hidden_layers is ${said}, the file has tensors of ${found} blocks`];
}

function clipSizes(fields: ConfigFields, value: JsonObject = {}, tensors: Shapes): ClipConfig {
  const patchTable = "vision_tower.patch_embedding.weight";
  return {
    imageSize: fields.count("image_size") ?? clipDefaults.imageSize,
    patchSize: fields.count("patch_size") ?? clipDefaults.patchSize,
    dim: fields.count("hidden_size") ?? widthOf(tensors, patchTable, 0),
    depth: fields.count("num_hidden_layers") ?? depthOf(tensors, clipBlock),
    heads: fields.count("num_attention_heads") ?? clipDefaults.heads,
    hiddenDim:
      fields.count("intermediate_size") ?? widthOf(tensors, "vision_tower.layers.0.mlp.fc1.weight", 0),
    normEps: fields.positive("layer_norm_eps") ?? clipDefaults.normEps,
    activation: (value.hidden_act ?? clipDefaults.activation) === "gelu" ? "gelu" : "quick-gelu",
  };
}

function languageSizes(hints: LlamaFileHints, tensors: Shapes): LanguageModelConfig {
  const [vocabulary, dim] = tensors.get("tok_embeddings.weight")?.shape ?? [2, 1];
  const {
    heads = llamaDefaults.heads,
    headDim = dim / heads,
    layers,
    tiedEmbeddings: _,
    vocabSize: __,
    ...rest
  } = hints;
  const tied = !tensors.has("output.weight");
  return {
    ...llamaDefaults,
    hiddenDim: widthOf(tensors, "layers.0.feed_forward.w1.weight", 0),
    kvHeads: widthOf(tensors, "layers.0.attention.wk.weight", 0) / headDim,
    ...rest,
    dim,
    heads,
    headDim,
    depth: layers ?? depthOf(tensors, llamaBlock),
    vocabulary,
    ...(tied && { tiedEmbeddings: true }),
    causal: true,
    rope: true,
    rowOrder: "hf",
  };
}

/** Hidden states by number, the input of the first block being 0; negative ones count from the last, as in Python. */
function featureLayers(given: unknown, depth: number): number[] | undefined {
  const layers = [given]
    .flat()
    .map((layer) => (Number(layer) < 0 ? depth + 1 + Number(layer) : Number(layer)));
  const exist = layers.every((layer) => Number.isInteger(layer) && layer >= 0 && layer <= depth);
  return exist && layers.length > 0 ? layers : undefined;
}
