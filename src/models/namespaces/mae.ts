/**
 * Masked auto-encoders.
 *
 * @module
 */
export {
  create,
  type DecoderConfig,
  decoder512x8,
  decoderToy,
  type MaeOptions,
  MaskedAutoencoder,
} from "../mae";
export { drawNoise, maskFromNoise, type PatchMask } from "../masking";
export { loadMae as loadCheckpoint } from "../pretrained";
export { saveCheckpoint } from "../saveCheckpoint";
