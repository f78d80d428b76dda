import { hfToMetaName, isComputedLlamaTensor } from "../../io/llama";

/** Of transformers' projector, by the names of LLaVA's own. */
const connector: readonly [own: string, hf: string][] = [
  ["mm_projector.0.", "multi_modal_projector.linear_1."],
  ["mm_projector.2.", "multi_modal_projector.linear_2."],
];

/** Of CLIP's encoder, after `vision_tower.` and, if it is there, `vision_model.`. */
const clip: readonly [own: string, hf: string][] = [
  ["class_embedding", "embeddings.class_embedding"],
  ["patch_embedding.", "embeddings.patch_embedding."],
  ["position_embedding.", "embeddings.position_embedding."],
  ["pre_layrnorm.", "pre_layrnorm."],
  ["layers.", "encoder.layers."],
];

/**
 * Tensors of a LLaVA checkpoint that take no part: CLIP's last norm, which features do not pass, and tables that are
 * computed.
 */
export function isUnused(name: string): boolean {
  if (/(^|\.)vision_tower\.(vision_model\.)?(post_layernorm\.|embeddings\.position_ids$)/.test(outer(name)))
    return true;
  return isComputedLlamaTensor(name.replace(/\.weight$/, ""));
}

/**
 * The name here of a tensor of a LLaVA checkpoint: transformers' names, old (`language_model.model.layers.0.…`,
 * `language_model.lm_head.weight`) and new (`model.language_model.layers.0.…`, `lm_head.weight`), and LLaVA's own
 * (`model.mm_projector.0.weight`). Undefined for others.
 */
export function llavaKey(name: string): string | undefined {
  const inside = outer(name);
  const tower = /^vision_tower\.(?:vision_model\.)?(.+)$/.exec(inside)?.[1];
  if (tower !== undefined) {
    const pair = clip.find(([, hf]) => tower.startsWith(hf));
    return pair && `vision_tower.${pair[0]}${tower.slice(pair[1].length)}`;
  }
  for (const [own, hf] of connector) {
    if (inside.startsWith(hf)) return own + inside.slice(hf.length);
    if (inside.startsWith(own)) return inside;
  }
  return hfToMetaName(inside.replace(/^language_model\./, ""));
}

/** A name without what stands around all of them; LLaVA's own holds its tower twice. */
function outer(name: string): string {
  return name
    .replace(/^model\.(?=mm_projector|multi_modal_projector|language_model|vision_tower)/, "")
    .replace(/^vision_tower\.vision_tower\./, "vision_tower.");
}
