import { LuvitError } from "../../core/errors";
import { engineEnvironment } from "../process/environment";
import { lastLines, runCommand } from "./command";
import { compilesAtFirstUse, type Gpu } from "./gpu";
import { gpuEnvironment, loaderEnvironment } from "./loader";

/** What an addon said of itself after it multiplied two matrices. */
export interface Verified {
  /** Version of TensorFlow. */
  readonly tensorflow: string;
  readonly gpu: boolean;
  /** Largest error of the product against double precision. */
  readonly error: number;
}

const ROWS = 33;
const INNER = 65;
const COLUMNS = 17;
/** Of sums of INNER products of numbers below 1: each addition rounds to 24 bits, operands in tensor cores to 11. */
const TOLERANCE = INNER * INNER * 2 ** -24;
const TENSOR_CORE_TOLERANCE = INNER * 2 ** -10;

interface Binding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_FLOAT: number;
  createTensor(shape: readonly number[], dtype: number, values: Float32Array): number;
  executeOp(op: string, attributes: object[], inputs: number[], outputs: number): { id: number }[];
  tensorDataSync(id: number): Float32Array;
}

/** The driver compiles every kernel when the library is loaded, not each when a step first needs it. */
const EVERYTHING_NOW = { CUDA_MODULE_LOADING: "EAGER" };

/**
 * Loads an addon in a process of its own and has it multiply two matrices, on the GPU where one is given.
 *
 * @throws LuvitError("engine") when it does not load, does not use the GPU or multiplies wrongly.
 */
export async function verifyAddon(addon: string, folder: string, gpu?: Gpu): Promise<Verified> {
  const environment = {
    ...engineEnvironment(process.env),
    // What TensorFlow says of a GPU that it cannot use is not an error to it.
    TF_CPP_MIN_LOG_LEVEL: gpu ? "0" : "2",
    ...(gpu ? gpuEnvironment({}) : {}),
    ...(gpu && compilesAtFirstUse(gpu) ? EVERYTHING_NOW : {}),
    ...loaderEnvironment(folder),
  };
  const finished = await runCommand(process.execPath, [__filename, addon], { environment, alone: true });
  const line = /^verified (.*)$/m.exec(finished.output)?.[1];
  if (finished.status !== 0 || !line) throw explainLoad(finished.output);
  const verified = JSON.parse(line) as Verified;
  if (gpu && !verified.gpu) throw explainNoGpu(gpu, finished.output);
  const error = verified.error ?? Number.NaN; // null, where the other process found no number
  if (error <= (verified.gpu ? TENSOR_CORE_TOLERANCE : TOLERANCE)) return verified;
  const message = `the addon loads, but its matrix product is wrong by ${error}; it was not installed`;
  throw new LuvitError("engine", message);
}

/** Why TensorFlow takes no GPU where there is one, in its own words. */
export function explainNoGpu({ name }: Gpu, output: string): LuvitError {
  const reasons: [RegExp, string][] = [
    [/CUDA_ERROR_NO_DEVICE|no CUDA-capable device/i, "CUDA finds no device"],
    [
      /driver version is insufficient|CUDA_ERROR_SYSTEM_DRIVER_MISMATCH/i,
      "NVIDIA's driver is too old for it",
    ],
    [/Could not find cuda drivers/i, "NVIDIA's driver (libcuda.so.1) is not found"],
    [/Cannot dlopen some GPU libraries/i, "CUDA's libraries do not load"],
    [/compute capability/i, "it is not built for this compute capability"],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(output))?.[1] ?? "it does not say why";
  const advice = 'it was not installed; use provider "webgpu", or install without --cuda for the processor';
  const lines = lastLines(output.replace(/^verified .*$/m, ""));
  return new LuvitError("engine", `TensorFlow does not use ${name}: ${reason}; ${advice}\n${lines}`);
}

function explainLoad(output: string): LuvitError {
  const reasons: [RegExp, string][] = [
    [
      /GLIBC_[\d.]+' not found/,
      "this system's C library is older than the wheel needs; ask for an older TensorFlow (--tensorflow 2.18.0)",
    ],
    [
      /GLIBCXX_[\d.]+' not found/,
      "this system's libstdc++ is older than the wheel needs; ask for an older TensorFlow (--tensorflow 2.18.0)",
    ],
    [
      /undefined symbol/,
      "TensorFlow's C interface lacks something the addon needs; ask for another version (--tensorflow 2.21.0)",
    ],
    [/lib[\w.+-]+: cannot open shared object file/, "a library it needs is missing"],
    [/Illegal instruction|SIGILL/, "this processor lacks instructions the library was built for"],
    [/SIGKILL|Cannot allocate memory/, "there was not enough memory to load it"],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(output))?.[1] ?? "it failed";
  return new LuvitError("engine", `loading the built addon: ${reason}\n${lastLines(output)}`);
}

function matrix(rows: number, columns: number, seed: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 0.7 * i));
}

function multiply(binding: Binding): Verified {
  const [a, b] = [matrix(ROWS, INNER, 1), matrix(INNER, COLUMNS, 2)];
  const ids = [
    binding.createTensor([ROWS, INNER], binding.TF_FLOAT, a),
    binding.createTensor([INNER, COLUMNS], binding.TF_FLOAT, b),
  ];
  const attributes = [
    { name: "transpose_a", type: binding.TF_ATTR_BOOL, value: false },
    { name: "transpose_b", type: binding.TF_ATTR_BOOL, value: false },
    { name: "T", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
  ];
  const [{ id }] = binding.executeOp("MatMul", attributes, ids, 1);
  const product = binding.tensorDataSync(id);
  let error = 0;
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      let sum = 0;
      for (let i = 0; i < INNER; i++) sum += a[row * INNER + i] * b[i * COLUMNS + column];
      error = Math.max(error, Math.abs(sum - product[row * COLUMNS + column]));
    }
  }
  return { tensorflow: binding.TF_Version, gpu: binding.isUsingGpuDevice(), error };
}

if (require.main === module) {
  const binding = require(process.argv[2]) as Binding;
  process.stdout.write(`\nverified ${JSON.stringify(multiply(binding))}\n`);
}
