import { hfToMetaName } from "../../io/llama";

/** Of transformers' projector, by the names of LLaVA's own. */
const connector: readonly [own: string, hf: string][] = [
  ["mm_projector.0.", "multi_modal_projector.linear_1."],
  ["mm_projector.2.", "multi_modal_projector.linear_2."],
];

/**
 * The name here of a tensor of a LLaVA checkpoint, connector or language model: transformers' names, old
 * (`language_model.model.layers.0.…`, `language_model.lm_head.weight`) and new (`model.language_model.layers.0.…`,
 * `lm_head.weight`), and LLaVA's own (`model.mm_projector.0.weight`). Undefined for others.
 */
export function llavaKey(name: string): string | undefined {
  const inside = name.replace(/^model\.(?=mm_projector|multi_modal_projector|language_model)/, "");
  for (const [own, hf] of connector) {
    if (inside.startsWith(hf)) return own + inside.slice(hf.length);
    if (inside.startsWith(own)) return inside;
  }
  return hfToMetaName(inside.replace(/^language_model\./, ""));
}
