import { LuvitError } from "../../core/errors";
import { engineEnvironment } from "../process/environment";
import { lastLines, runCommand } from "./command";
import { loaderEnvironment } from "./loader";

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

/**
 * Loads an addon in a process of its own and has it multiply two matrices.
 *
 * @throws LuvitError("engine") when it does not load or multiplies wrongly.
 */
export async function verifyAddon(addon: string, folder: string): Promise<Verified> {
  const environment = {
    ...engineEnvironment(process.env),
    TF_CPP_MIN_LOG_LEVEL: "2",
    ...loaderEnvironment(folder),
  };
  const finished = await runCommand(process.execPath, [__filename, addon], { environment, alone: true });
  const line = /^verified (.*)$/m.exec(finished.output)?.[1];
  if (finished.status !== 0 || !line) throw explainLoad(finished.output);
  const verified = JSON.parse(line) as Verified;
  if (verified.error <= (verified.gpu ? TENSOR_CORE_TOLERANCE : TOLERANCE)) return verified;
  const message = `the addon loads, but its matrix product is wrong by ${verified.error}; it was not installed`;
  throw new LuvitError("engine", message);
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
