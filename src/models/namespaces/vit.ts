/**
 * Vision transformers.
 *
 * @module
 */
export { Attention, LayerScale, Mlp, SwiGlu } from "../branches";
export {
  Block,
  base16,
  huge14,
  large16,
  PatchEmbed,
  patchCount,
  small16,
  tiny16,
  toy,
  type ViTConfig,
} from "../vit";
