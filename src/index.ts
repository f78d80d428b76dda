/**
 * LUViT, piece by piece. Everything a notebook needs hangs off this entry; sub-paths are not part of the API.
 *
 * @example
 * import * as luvit from "luvit";
 * await luvit.ready();
 * const block = await luvit.llama.loadBlock("data/llama-toy");
 * luvit.lora.attach(block, { rank: 4 });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, fusion: block, decoder: luvit.mae.decoderToy });
 */
export * as analysis from "./analysis";
export * as coco from "./analysis/detection";
export * as benchmark from "./analysis/suite";
export { LuvitError, type LuvitErrorCode } from "./core/errors";
export type { HostTensor, StateDict } from "./core/hostTensor";
export { packageVersion } from "./core/packageRoot";
export { Rng } from "./core/rng";
export { type Tensor, tf } from "./core/tf";
export * as check from "./course";
export * as data from "./data";
export {
  type EngineName,
  type EngineOptions,
  EngineStatus,
  type Precision,
  type ReadyOptions,
  ready,
} from "./engine";
export * as figures from "./figures";
export * as graph from "./graph";
export * as io from "./io";
export { baselines, classifier, detector, fusion, llama, llavit, lora, mae, segmenter, vit } from "./models";
export * as nn from "./nn";
export { Compiled, compile } from "./nn/compile";
export * from "./notebook";
export * as optim from "./optim";
export * as train from "./train";
export { type AskOptions, ask } from "./train/ask";
export {
  Classification,
  type ClassifiedAs,
  type ClassifyOptions,
  classify,
} from "./train/classify";
export * as recipes from "./train/recipes";
