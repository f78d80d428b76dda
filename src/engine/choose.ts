import { existsSync } from "node:fs";
import { LuvitError } from "../core/errors";
import { hasNvidiaDriver } from "./install/gpu";
import { cudaFolder } from "./install/loader";
import { onnxRuntimeProblem } from "./onnx/runtime";
import {
  type EngineName,
  type EngineOptions,
  engineOf,
  expectEngineOptions,
  type OpenOptions,
  type Precision,
} from "./options";
import { findTensorflow, tensorflowProblem } from "./tensorflow/binding";

/** What graphs will run on, and why not on something else. */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly options: OpenOptions;
  /** Whether somebody asked for this engine, or for what cannot be had op by op; then nothing else will do. */
  readonly demanded: boolean;
  /** Engines that were not taken, each with its reason. */
  readonly passedOver: readonly string[];
}

/** The best first. */
const engineNames: readonly EngineName[] = ["onnxruntime", "tensorflow", "eager"];

let defaults: EngineOptions = {};

/** What `ready` was given holds for everything that does not ask for something else. */
export function setEngineDefaults(options: EngineOptions): void {
  defaults = engineOf(options);
}

/**
 * The engine for a wish: the options given, else those of `ready`, else the environment variables LUVIT_ENGINE and
 * LUVIT_PRECISION, else what is best here.
 *
 * @throws LuvitError("bad-argument") for an engine, precision, provider or number of threads that cannot be.
 * @throws LuvitError("engine") when what is demanded cannot be had here, saying why and what to do.
 */
export function chooseEngine(wish: EngineOptions = {}): EngineChoice {
  const { engine = "auto", ...options } = { ...fromEnvironment(), ...defaults, ...engineOf(wish) };
  expectEngineOptions({ engine, ...options });
  if (engine === "auto") return chooseBest(options);
  const problem = problemOf(engine, options);
  if (problem === undefined) return { engine, options, demanded: true, passedOver: [] };
  throw new LuvitError("engine", `engine "${engine}" cannot be used: ${problem}`);
}

function chooseBest(options: OpenOptions): EngineChoice {
  const passedOver: string[] = [];
  const [first, second, ...rest] = engineNames;
  for (const engine of hasGpu() ? [second, first, ...rest] : engineNames) {
    const problem = problemOf(engine, options);
    if (problem === undefined)
      return { engine, options, demanded: problemOf("eager", options) !== undefined, passedOver };
    passedOver.push(`${engine} not used: ${problem}`);
  }
  const wish = Object.entries(options).map(([name, value]) => `${name} ${value}`);
  throw new LuvitError("engine", `no engine can do ${wish.join(", ")}\n${passedOver.join("\n")}`);
}

/** Whether an engine built for CUDA is installed and the machine has NVIDIA's driver. */
function hasGpu(): boolean {
  const tensorflow = findTensorflow();
  return Boolean(tensorflow && existsSync(cudaFolder(tensorflow.folder)) && hasNvidiaDriver());
}

/** Why an engine cannot be used for this, or undefined where it can. */
function problemOf(
  engine: EngineName,
  { precision, frozen, provider, tf32 }: OpenOptions,
): string | undefined {
  const halves = { onnxruntime: "float16", tensorflow: "bfloat16", eager: "" };
  if (precision && precision !== "float32" && precision !== halves[engine]) return `it has no ${precision}`;
  if (precision === "float16" && provider && provider !== "webgpu")
    return 'it computes in float16 with provider "webgpu" only';
  if (tf32 && engine !== "tensorflow") return "it has no switch for TensorFloat-32";
  if (frozen && engine !== "onnxruntime") return `it has no ${frozen} weights`;
  if (provider && !providers[engine].includes(provider)) return `it has no provider "${provider}"`;
  return engineProblems[engine]();
}

const providers: Readonly<Record<EngineName, readonly string[]>> = {
  onnxruntime: ["cpu", "cuda", "webgpu"],
  tensorflow: ["cpu", "cuda"],
  eager: ["cpu"],
};

const engineProblems: Readonly<Record<EngineName, () => string | undefined>> = {
  onnxruntime: onnxRuntimeProblem,
  tensorflow: tensorflowProblem,
  eager: () => undefined,
};

function fromEnvironment(): EngineOptions {
  const { LUVIT_ENGINE: engine, LUVIT_PRECISION: precision } = process.env;
  return engineOf({
    engine: (engine || undefined) as EngineName,
    precision: (precision || undefined) as Precision,
  });
}
