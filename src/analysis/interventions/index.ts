export { type AblateHeadsOptions, ablateHeads, HeadAblation } from "./ablateHeads";
export {
  ActivationPatching,
  type PatchActivationsOptions,
  type PatchedTokens,
  patchActivations,
} from "./patchActivations";
