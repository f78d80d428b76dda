import type { HostTensor, StateDict } from "../core/hostTensor";

/** Names of transformers -> those of facebookresearch/dinov2. */
const names: readonly [RegExp, string][] = [
  [/^embeddings\.(cls_token|register_tokens)$/, "$1"],
  [/^embeddings\.position_embeddings$/, "pos_embed"],
  [/^embeddings\.patch_embeddings\.projection\./, "patch_embed.proj."],
  [/^encoder\.layer\.(\d+)\.attention\.output\.dense\./, "blocks.$1.attn.proj."],
  [/^encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1$/, "blocks.$1.ls$2.gamma"],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_in\./, "blocks.$1.mlp.w12."],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_out\./, "blocks.$1.mlp.w3."],
  [/^encoder\.layer\.(\d+)\.(norm[12]|mlp\.fc[12])\./, "blocks.$1.$2."],
  [/^layernorm\./, "norm."],
  [/^reg_token$/, "register_tokens"],
];

const projection = /^encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)$/;

/**
 * Tensors of DINOv2, with or without registers, under the official names: as transformers names them, whose q, k and v become
 * one, and as timm does. What else there is keeps its name. The token for masked patches, which only pretraining needs, is
 * left out.
 */
export function withDinoNames(tensors: StateDict): StateDict {
  const found: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    if (name === "embeddings.mask_token") continue;
    const [, block, , part] = projection.exec(name) ?? [];
    const rule = names.find(([pattern]) => pattern.test(name));
    if (block !== undefined) found.set(`blocks.${block}.attn.qkv.${part}`, joined(tensors, block, part));
    else found.set(rule ? name.replace(...rule) : name, tensor);
  }
  return found;
}

/** q, k and v of a block, one after another; where one is missing the rest, whose shape will be told. */
function joined(tensors: StateDict, block: string, part: string): HostTensor {
  const parts = ["query", "key", "value"]
    .map((name) => tensors.get(`encoder.layer.${block}.attention.attention.${name}.${part}`))
    .filter((tensor) => tensor !== undefined);
  const [first] = parts;
  const data = new Float32Array(parts.reduce((sum, tensor) => sum + tensor.data.length, 0));
  let at = 0;
  for (const tensor of parts) {
    data.set(tensor.data as Float32Array, at);
    at += tensor.data.length;
  }
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  return { shape: [rows, ...first.shape.slice(1)], data };
}
