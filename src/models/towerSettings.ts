import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { type JsonObject, readJsonObject } from "../io/bytes";
import { ConfigFields } from "../io/llama";
import type { Activation } from "./branches";
import { isPlainViT, isTower } from "./officialNames";

/** What the tensors of a vision tower do not say. */
export interface TowerSettings {
  readonly heads?: number;
  readonly mlp: Activation;
  readonly normEps: number;
  /** Per channel, of values in 0 … 1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export const clipChannels = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** What transformers' configs leave out because it is the default. */
const defaults = {
  clip: { act: "quick_gelu", normEps: 1e-5, ...clipChannels },
  siglip: { act: "gelu_pytorch_tanh", normEps: 1e-6, ...half },
  vit: { act: "gelu", normEps: 1e-12, ...half },
};

/** Names of transformers -> what they compute. */
const activations: Readonly<Record<string, Activation>> = {
  quick_gelu: "quick-gelu",
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_new: "gelu-tanh",
};

/** SigLIPs that timm runs with the approximation by tanh; the others with exact GELU. */
const tanhInTimm = /patch32_siglip|large_patch16_siglip_512|so400m_patch16_siglip|giantopt/;

/**
 * What CLIP, SigLIP or transformers' ViT computes beside what its tensors show: from config.json beside the weights (transformers' or timm's),
 * or its family's own. Undefined for other ViTs. `tensors` under the names of the file, `official` under timm's.
 *
 * @throws LuvitError("bad-argument") where nothing says the activation and none is given, or for a NaFlex;
 * LuvitError("bad-file") listing entries of a config that say something else than this library computes.
 */
export async function towerSettings(
  source: string,
  tensors: { readonly file: StateDict; readonly official: StateDict },
  configPath: string | undefined,
  activation: Activation | undefined,
): Promise<TowerSettings | undefined> {
  const family = familyOf(tensors);
  if (!family) return undefined;
  const value = configPath === undefined ? {} : (await readJsonObject(configPath)).value;
  const isOfTransformers = isTower(tensors.file) || family === "vit";
  const found = isOfTransformers ? ofTransformers(family, value, configPath) : ofTimm(family, value);
  if (activation !== undefined && found.mlp !== undefined && activation !== found.mlp) {
    throw new LuvitError(
      "bad-argument",
      `${source}: its config says that it computes ${found.mlp}, asked for is ${activation}; leave activation out`,
    );
  }
  const mlp = found.mlp ?? activation;
  if (mlp !== undefined) return { ...found, mlp };
  throw new LuvitError(
    "bad-argument",
    `${source}: no config.json beside it says which activation it computes with; put it there, or pass ` +
      '{ activation: "quick-gelu" } for OpenAI\'s CLIP, "gelu" for OpenCLIP\'s',
  );
}

type Family = "clip" | "siglip" | "vit";

function familyOf({ file, official }: { file: StateDict; official: StateDict }): Family | undefined {
  if (official.has("norm_pre.weight")) return "clip";
  if (isPlainViT(file)) return "vit";
  return official.has("attn_pool.latent") || isTower(file) ? "siglip" : undefined;
}

type Found = Omit<TowerSettings, "mlp"> & { readonly mlp?: Activation };

function ofTransformers(family: Family, value: JsonObject, path: string | undefined): Found {
  const { act, normEps, mean, std } = defaults[family];
  // Without a config a SigLIP is what all of them are; CLIPs differ.
  const usual = path === undefined && family === "clip" ? undefined : activations[act];
  if (path === undefined) return { mlp: usual, normEps, mean, std };
  const outer = new ConfigFields(value);
  const vision = value.vision_config ? outer.inside("vision_config") : outer;
  outer.require("model_type", [undefined, family, `${family}_vision_model`]);
  vision.require("model_type", [undefined, family, `${family}_vision_model`]);
  vision.require("hidden_act", [undefined, ...Object.keys(activations)]);
  const heads = vision.count("num_attention_heads") ?? 12;
  const eps = vision.positive("layer_norm_eps") ?? normEps;
  const inner = (value.vision_config ?? value) as JsonObject;
  if (outer.faults.length > 0) {
    const lines = listOffenders(outer.faults);
    throw new LuvitError("bad-file", `${path}: no vision tower that can be opened\n${lines}`);
  }
  return { heads, mlp: activations[String(inner.hidden_act ?? act)], normEps: eps, mean, std };
}

function ofTimm(family: Family, { architecture, pretrained_cfg }: JsonObject): Found {
  const { normEps, mean, std } = defaults[family];
  const usual = channelsIn(pretrained_cfg as JsonObject | undefined) ?? { mean, std };
  if (typeof architecture !== "string") return { normEps, ...usual };
  const isOther = family === "clip" ? "quick-gelu" : "gelu-tanh";
  const other = family === "clip" ? /quickgelu/ : tanhInTimm;
  return { mlp: other.test(architecture) ? isOther : "gelu", normEps, ...usual };
}

function channelsIn({ mean, std }: JsonObject = {}): { mean: number[]; std: number[] } | undefined {
  const fits = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length === 3 && value.every((x) => typeof x === "number" && x > 0);
  return fits(mean) && fits(std) ? { mean, std } : undefined;
}
