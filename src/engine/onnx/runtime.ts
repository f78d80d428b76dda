import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import type { TypedArray } from "../executor";

/*
 * The part of onnxruntime-node used here. The package is loaded when it is first needed and its types are not, so that
 * this library compiles and runs without it.
 */

export interface OnnxTensor {
  readonly data: TypedArray | Int8Array | BigInt64Array;
  readonly dims: readonly number[];
  /** "cpu" where its numbers lie in host memory. */
  readonly location: string;
}

export interface OnnxSession {
  /** A result named with a tensor is written into that tensor's array, with null into a new one. */
  run(
    feeds: Record<string, OnnxTensor>,
    fetches: Record<string, OnnxTensor | null>,
  ): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

export interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OnnxSession> };
  readonly Tensor: new (type: string, data: TypedArray | Int8Array, dims: readonly number[]) => OnnxTensor;
}

const PACKAGE = "onnxruntime-node";

/** Why onnxruntime cannot be used here, or undefined where it can. */
export function onnxRuntimeProblem(): string | undefined {
  try {
    loadOnnxRuntime();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * From its first session on, onnxruntime 1.30 sends machine, memory, paths and graph names to its makers, and leaves a
 * device id and a database of events in the user's cache folder and a log in the temporary one. Whatever process loads
 * it has this in its environment before that, which ends all of it.
 */
export const WITHOUT_TELEMETRY = { ORT_DISABLE_TELEMETRY: "1" } as const;

/** The environment of a worker thread is a copy that native code does not see; it tells what the process began with. */
const reachesNativeCode =
  isMainThread || process.env.ORT_DISABLE_TELEMETRY === WITHOUT_TELEMETRY.ORT_DISABLE_TELEMETRY;

/** @throws LuvitError("engine") where a session would report to somebody and this thread cannot prevent it. */
export function expectNoTelemetry(): void {
  if (reachesNativeCode) return;
  throw new LuvitError(
    "engine",
    "onnxruntime in a worker thread would send telemetry, which only the main thread can turn off: let the engine " +
      "process run it (openEngine), or start Node with ORT_DISABLE_TELEMETRY=1",
  );
}

/** @throws LuvitError("engine") saying what to install. */
export function loadOnnxRuntime(): OnnxRuntime {
  const require = createRequire(__filename);
  Object.assign(process.env, WITHOUT_TELEMETRY);
  try {
    return require(PACKAGE) as OnnxRuntime;
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    const missing = (cause as { code?: string }).code === "MODULE_NOT_FOUND";
    const message = missing
      ? `${PACKAGE} is not installed; npm install ${PACKAGE} (the CPU needs no install script: --ignore-scripts)`
      : `${PACKAGE} does not load: ${reason}`;
    throw new LuvitError("engine", message, { cause });
  }
}
