/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops" preserve="true" />
import { createRequire } from "node:module";
import { cpus } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import { shaped } from "./options";
// Loaded for their side effects: the `cpu` and `wasm` backends.
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { join } from "node:path";
import { LuvitError } from "./errors";
import { packageRoot } from "./packageRoot";

// Gradients and chained ops, as scripts/tfjs.mjs makes one file of them.
createRequire(__filename)(join(packageRoot(), "dist", "tfjs", "gradients.js"));

export { tf };
/** A tensor of tfjs. */
export type Tensor = tf.Tensor;

/** A tensor; not the numbers that tfjs would take for one. */
export const tensorField = shaped<Tensor>("a tensor", "shape", "dtype", "dataId");

/** Backends in the order they are preferred. */
export type BackendName = "tensorflow" | "wasm" | "cpu";

/** What single tfjs ops run on. */
export class TfjsStatus {
  constructor(
    readonly backend: BackendName,
    /** e.g. "GPU", "CPU, 1 thread, SIMD". */
    readonly device: string,
    /** Faster backends that were not taken, each with its reason. */
    readonly passedOver: readonly string[],
  ) {}

  toString(): string {
    return `tfjs ${this.backend} (${this.device}, float32)`;
  }
}

let status: TfjsStatus | undefined;

/**
 * Starts tfjs: `tensorflow` where `@tensorflow/tfjs-node-gpu` is installed, else `wasm`, else `cpu`. The environment
 * variable LUVIT_BACKEND, or `options.backend`, forces one.
 *
 * @throws LuvitError("engine") when a forced backend cannot start.
 */
export async function startBackend(options: { backend?: BackendName } = {}): Promise<TfjsStatus> {
  const forced = options.backend ?? (process.env.LUVIT_BACKEND as BackendName | undefined);
  if (status && (!forced || forced === status.backend)) return status;
  tf.env().set("PROD", true); // keeps tfjs from printing its own advice into the notebook
  const passedOver: string[] = [];
  for (const name of forced ? [forced] : (["tensorflow", "wasm", "cpu"] as const)) {
    const problem = await tryBackend(name);
    if (problem === undefined) {
      registerMendedKernels(name);
      status = new TfjsStatus(name, describeDevice(name), passedOver);
      return status;
    }
    passedOver.push(`tfjs ${name} not used: ${problem}`);
  }
  throw new LuvitError(
    "engine",
    `ready: no tfjs backend could start. ${passedOver.join("; ")}. Use one of: tensorflow, wasm, cpu.`,
  );
}

/** Starts tfjs where nobody has yet. */
export async function ensureBackend(): Promise<void> {
  if (!tf.getBackend()) await startBackend();
}

/** The notebook kernel calls this before it runs a cell; it may be of another copy of the library. */
Object.defineProperty(globalThis, Symbol.for("luvit.backend.start"), {
  configurable: true,
  value: ensureBackend,
});

/** Without a backend tfjs names functions of its own; here it is `ready` that starts one. */
Object.defineProperty(tf.engine(), "backend", {
  configurable: true,
  get(this: { backendInstance?: object; pendingBackendInit?: object }) {
    if (this.backendInstance && !this.pendingBackendInit) return this.backendInstance;
    throw new LuvitError(
      "engine",
      "tfjs has not been started: run `await luvit.ready()` before the first op",
    );
  },
});

/** Runs `body`, frees every tensor it made, and gives back its (host) result. */
export function onHost<Result>(body: () => Result): Result {
  let result!: Result;
  tf.tidy(() => {
    result = body();
  });
  return result;
}

/** Kernels and gradients the ops of this library add to a backend once it is known. */
const kernelPackages: ((backend: BackendName) => void)[] = [];

const mended = new Set<BackendName>();

/** Ops register here; each package is called once for every backend that starts, now or later. */
export function onBackend(register: (backend: BackendName) => void): void {
  kernelPackages.push(register);
  for (const backend of mended) register(backend);
}

function registerMendedKernels(name: BackendName): void {
  if (mended.has(name)) return;
  mended.add(name);
  for (const register of kernelPackages) register(name);
}

async function tryBackend(name: BackendName): Promise<string | undefined> {
  try {
    if (name === "tensorflow") loadTensorflow();
    if (!(await tf.setBackend(name))) return "it did not start";
    await tf.ready();
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

function loadTensorflow(): void {
  const require = createRequire(__filename);
  let found: string;
  try {
    found = require.resolve("@tensorflow/tfjs-node-gpu");
  } catch {
    throw new Error("@tensorflow/tfjs-node-gpu is not installed");
  }
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  mendNodeUtil(require("node:util"));
  require(found);
}

/** tfjs-node 4.22 calls two functions that Node 23 removed from `util`. */
function mendNodeUtil(util: Record<string, unknown>): void {
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

function describeDevice(name: BackendName): string {
  const cpu = `${cpus()[0]?.model.trim() || "CPU"}`;
  if (name === "wasm") return `${cpu}, 1 thread, SIMD`;
  if (name === "cpu") return `${cpu}, 1 thread, plain JavaScript`;
  const backend = tf.backend() as unknown as { isUsingGpuDevice?: boolean };
  return backend.isUsingGpuDevice ? "GPU" : `${cpu}, ${cpus().length} threads, no GPU found`;
}
