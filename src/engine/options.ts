import { entry, oneOf, optionsOf, whole } from "../core/options";
import type { EngineOptions } from "./choose";
import type { ReadyOptions } from "./ready";

/** What compiled graphs run on. */
export const engineOptions = optionsOf<EngineOptions>(
  {},
  {
    engine: entry(oneOf(["auto", "onnxruntime", "tensorflow", "eager"]), "default auto", "auto"),
    precision: entry(oneOf(["float32", "bfloat16"]), "of matrix products", "float32"),
    threads: entry(whole(1, 4096), "default as many as there are cores", 8),
    provider: entry(oneOf(["cpu", "cuda", "webgpu"]), "what computes", "cpu"),
    frozen: entry(oneOf(["int8"]), "frozen weights in eight bits", "int8"),
  },
);

export const readyOptions = optionsOf<ReadyOptions>(
  {},
  { ...engineOptions.optional, backend: oneOf(["tensorflow", "wasm", "cpu"]) },
);
