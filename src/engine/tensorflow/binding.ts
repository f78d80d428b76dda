import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { TypedArray } from "../executor";
import { findAddon, TFJS_PACKAGE } from "../install/addon";
import { installedEngines } from "../install/cache";

/** The part of tfjs-node's addon used here: TensorFlow's C interface, tensors by number. */
export interface TensorflowBinding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  createTensor(shape: readonly number[], dtype: number, values: TypedArray): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): TypedArray;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  /** Inputs and outputs are names of results, "x:0,y:0". */
  runSavedModel(
    model: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): { id: number }[];
}

/** An addon on this machine and the folder its libraries lie in. */
export interface FoundAddon {
  readonly path: string;
  readonly folder: string;
}

/** Why the engine cannot be used here, or undefined where it can. Loads nothing. */
export function tensorflowProblem(): string | undefined {
  return findTensorflow() ? undefined : "it is not installed; npx luvit engine install builds it";
}

/** The addon in node_modules, else the newest in the cache. */
export function findTensorflow(): FoundAddon | undefined {
  const [folder] = [...packageFolder()];
  const addon = folder && findAddon(folder);
  if (addon) return { path: join(folder, addon), folder };
  const [engine] = installedEngines();
  return engine && { path: join(engine.folder, engine.addon), folder: engine.folder };
}

function packageFolder(): string[] {
  try {
    return [dirname(createRequire(__filename).resolve(`${TFJS_PACKAGE}/package.json`))];
  } catch {
    return [];
  }
}

/** @throws LuvitError("engine") saying what to install, or why what is installed does not load. */
export function loadTensorflow(): TensorflowBinding {
  const found = findTensorflow();
  if (!found) throw new LuvitError("engine", `tensorflow: ${tensorflowProblem()}`);
  try {
    return createRequire(__filename)(found.path) as TensorflowBinding;
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    const message = `tensorflow: ${found.path} does not load: ${reason}; npx luvit engine install builds it anew`;
    throw new LuvitError("engine", message, { cause });
  }
}
