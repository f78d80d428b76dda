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
export { loadMaeFolder as load, openMae as open } from "../openMae";
export { loadMae as loadCheckpoint } from "../pretrained";
export { saveCheckpoint } from "../saveCheckpoint";
