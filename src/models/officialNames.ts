import { LuvitError } from "../core/errors";
import type { HostTensor, StateDict } from "../core/hostTensor";

/** A ViT's tensors under the names of timm and DINOv2's own code. */
export interface OfficialTensors {
  readonly tensors: StateDict;
  /** What a tensor is called in the file, where otherwise. */
  readonly fileNames: ReadonlyMap<string, string>;
  /** Names in the file of what is no part of the ViT: a text tower, projections, tokens for masked patches. */
  readonly leftOut: readonly string[];
}

/** Names of transformers' DINOv2 and ViT, and of timm, -> those of facebookresearch/dinov2. */
const dino: readonly [RegExp, string][] = [
  [/^embeddings\.(cls_token|register_tokens)$/, "$1"],
  [/^embeddings\.position_embeddings$/, "pos_embed"],
  [/^embeddings\.patch_embeddings\.projection\./, "patch_embed.proj."],
  [/^encoder\.layer\.(\d+)\.attention\.output\.dense\./, "blocks.$1.attn.proj."],
  [/^encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1$/, "blocks.$1.ls$2.gamma"],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_in\./, "blocks.$1.mlp.w12."],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_out\./, "blocks.$1.mlp.w3."],
  [/^encoder\.layer\.(\d+)\.(norm[12]|mlp\.fc[12])\./, "blocks.$1.$2."],
  [/^encoder\.layer\.(\d+)\.layernorm_before\./, "blocks.$1.norm1."],
  [/^encoder\.layer\.(\d+)\.layernorm_after\./, "blocks.$1.norm2."],
  [/^encoder\.layer\.(\d+)\.intermediate\.dense\./, "blocks.$1.mlp.fc1."],
  [/^encoder\.layer\.(\d+)\.output\.dense\./, "blocks.$1.mlp.fc2."],
  [/^layernorm\./, "norm."],
  [/^reg_token$/, "register_tokens"],
];

/** Names of transformers' CLIP and SigLIP -> timm's. */
const tower: readonly [RegExp, string][] = [
  [/^embeddings\.class_embedding$/, "cls_token"],
  [/^embeddings\.position_embedding\.weight$/, "pos_embed"],
  [/^embeddings\.patch_embedding\./, "patch_embed.proj."],
  [/^pre_layrnorm\./, "norm_pre."],
  [/^post_layernorm\./, "norm."],
  [/^encoder\.layers\.(\d+)\.layer_norm([12])\./, "blocks.$1.norm$2."],
  [/^encoder\.layers\.(\d+)\.self_attn\.out_proj\./, "blocks.$1.attn.proj."],
  [/^encoder\.layers\.(\d+)\.mlp\./, "blocks.$1.mlp."],
  [/^head\.probe$/, "attn_pool.latent"],
  [/^head\.layernorm\./, "attn_pool.norm."],
  [/^head\.mlp\./, "attn_pool.mlp."],
  [/^head\.attention\.out_proj\./, "attn_pool.proj."],
];

const dinoPart = /^encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)$/;
const towerPart = /^encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)$/;
const poolPart = /^head\.attention\.in_proj_(weight|bias)$/;

/**
 * A ViT's tensors under timm's names: ViT, DINOv2, CLIP and SigLIP as transformers names them, whose q, k and v become one, and
 * DINOv2 as timm does. Of a model with a text tower the vision tower alone. What else there is keeps its name.
 *
 * @throws LuvitError("bad-argument") for a SigLIP of any aspect ratio (NaFlex), whose patches and positions are others.
 */
export function withOfficialNames(tensors: StateDict, source = "the file"): OfficialTensors {
  return isTower(tensors) ? ofTower(tensors, source) : ofDino(tensors);
}

/** Whether these are CLIP's or SigLIP's under transformers' names. */
export function isTower(tensors: StateDict): boolean {
  return [...tensors.keys()].some((name) => /^(vision_model\.)?embeddings\.position_embedding\./.test(name));
}

class Renamed {
  readonly tensors: StateDict = new Map();
  readonly fileNames = new Map<string, string>();
  readonly leftOut: string[] = [];

  add(name: string, tensor: HostTensor, inFile: string): void {
    this.tensors.set(name, tensor);
    if (name !== inFile) this.fileNames.set(name, inFile);
  }
}

/** Whether these are of transformers' ViT, alone or with a head. */
export function isPlainViT(tensors: StateDict): boolean {
  return [...tensors.keys()].some((name) => /^(vit\.)?encoder\.layer\.0\.layernorm_before\./.test(name));
}

/** What of transformers' ViT is no part of the encoder: its pooling, and heads of classes or of masked patches. */
const besideViT = /^(pooler|classifier|decoder)\./;

function ofDino(all: StateDict): OfficialTensors {
  const found = new Renamed();
  const isViT = isPlainViT(all);
  const named = isViT ? [...all].map(([name, x]) => [name.replace(/^vit\./, ""), x] as const) : all;
  const tensors: StateDict = new Map(named);
  for (const [name, tensor] of tensors) {
    const [, block, , part] = dinoPart.exec(name) ?? [];
    const parts = ["query", "key", "value"].map(
      (each) => `encoder.layer.${block}.attention.attention.${each}.${part}`,
    );
    if (name === "embeddings.mask_token" || (isViT && besideViT.test(name))) found.leftOut.push(name);
    else if (block !== undefined)
      found.add(`blocks.${block}.attn.qkv.${part}`, joined(tensors, parts), parts.join(", "));
    else found.add(renamed(name, dino), tensor, name);
  }
  return found;
}

function ofTower(all: StateDict, source: string): OfficialTensors {
  const found = new Renamed();
  const prefix = [...all.keys()].some((name) => name.startsWith("vision_model.")) ? "vision_model." : "";
  for (const [inFile, tensor] of all) {
    const name = inFile.slice(prefix.length);
    if (
      !inFile.startsWith(prefix) ||
      name === "embeddings.position_ids" ||
      name === "visual_projection.weight"
    )
      found.leftOut.push(inFile);
    else addTowerTensor(found, all, prefix, name, tensor);
  }
  expectSquarePatches(found.tensors.get("patch_embed.proj.weight"), source);
  return found;
}

function addTowerTensor(
  found: Renamed,
  all: StateDict,
  prefix: string,
  name: string,
  tensor: HostTensor,
): void {
  const [, block, , part] = towerPart.exec(name) ?? [];
  const inPool = poolPart.exec(name)?.[1];
  if (block !== undefined) {
    const parts = ["q", "k", "v"].map(
      (each) => `${prefix}encoder.layers.${block}.self_attn.${each}_proj.${part}`,
    );
    found.add(`blocks.${block}.attn.qkv.${part}`, joined(all, parts), parts.join(", "));
  } else if (inPool !== undefined) {
    const dim = Math.floor(tensor.shape[0] / 3);
    found.add(`attn_pool.q.${inPool}`, rowsOf(tensor, 0, dim), prefix + name);
    found.add(`attn_pool.kv.${inPool}`, rowsOf(tensor, dim, tensor.shape[0]), prefix + name);
  } else {
    const official = renamed(name, tower);
    // One token and one table are kept with the axis of the batch, as timm keeps them.
    const axes = ["cls_token", "pos_embed"].includes(official) ? 3 : 0;
    found.add(official, withAxes(tensor, axes), prefix + name);
  }
}

const renamed = (name: string, rules: readonly [RegExp, string][]) => {
  const rule = rules.find(([pattern]) => pattern.test(name));
  return rule ? name.replace(...rule) : name;
};

/** The same numbers with axes of length 1 in front, so that there are as many axes. */
function withAxes(tensor: HostTensor, axes: number): HostTensor {
  const missing = axes - tensor.shape.length;
  if (missing <= 0 || tensor.problem !== undefined) return tensor;
  return { shape: [...new Array<number>(missing).fill(1), ...tensor.shape], data: tensor.data };
}

function rowsOf({ data, shape }: HostTensor, from: number, to: number): HostTensor {
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  return { shape: [to - from, ...shape.slice(1)], data: data.slice(from * width, to * width) };
}

/** Tensors one after another along their first axis; where one is missing the rest, whose shape will be told. */
function joined(tensors: StateDict, names: readonly string[]): HostTensor {
  const parts = names.map((name) => tensors.get(name)).filter((tensor) => tensor !== undefined);
  const data = new Float32Array(parts.reduce((sum, tensor) => sum + tensor.data.length, 0));
  let at = 0;
  for (const tensor of parts) {
    data.set(tensor.data as Float32Array, at);
    at += tensor.data.length;
  }
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  return { shape: [rows, ...parts[0].shape.slice(1)], data };
}

/** @throws LuvitError("bad-argument") */
function expectSquarePatches(projection: HostTensor | undefined, source: string): void {
  if (projection?.shape.length !== 2) return;
  throw new LuvitError(
    "bad-argument",
    `${source}: a SigLIP 2 of any aspect ratio (NaFlex), whose patches are cut and placed otherwise; ` +
      "those of one resolution can be read, such as google/siglip2-base-patch16-224",
  );
}
