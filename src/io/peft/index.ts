/** LoRA adapters in PEFT's folders. */
export { adapterAlpha, adapterRank } from "./config";
export {
  type Adapter,
  type AdapterMapping,
  adapterFromMeta,
  adapterToMeta,
  readAdapter,
  writeAdapter,
} from "./peft";
