/**
 * Vision transformers.
 *
 * @module
 */
export {
  Attention,
  Block,
  base16,
  huge14,
  large16,
  Mlp,
  PatchEmbed,
  patchCount,
  small16,
  tiny16,
  toy,
  type ViTConfig,
} from "../vit";
