import { LuvitError } from "../../../core/errors";
import { WebgpuOps } from "../lower/webgpu/ops";
import type { OnnxModel } from "../model";
import type { OnnxRuntime } from "../runtime";
import { createSession, type SessionSettings } from "../session";

/** Rows of both matrices, and how many products are summed up for each number: as wide as LLaMA-7B. */
const [ROWS, WIDTH] = [16, 4096];

/**
 * Relative error, root mean square, beyond which a product is wrong. Rounding operands and results to float16's eleven
 * digits gives 2.8e-4; where a kernel also sums 4096 products up in float16, the error grows to 1.3e-2 (a random walk
 * whose every step is rounded: 0.41 * sqrt(4096) * 2^-11).
 */
const WRONG = 0.05;

/** x wᵀ in float16, its operands and its result in float32. */
function productModel(): OnnxModel {
  const ops = new WebgpuOps();
  const shape = [ROWS, WIDTH];
  const [x, w] = ["x", "w"].map((name) => ({ name, shape, dtype: "float32" as const }));
  const [left, right] = [x, w].map((value) => ops.cast(value, "float16"));
  const type = { shape: [ROWS, ROWS], dtype: "float16" as const };
  const y = ops.cast(ops.make("Gemm", [left, right], type, { transA: 0, transB: 1 }), "float32");
  return { name: "half trial", nodes: ops.nodes, inputs: [x, w], outputs: [y], initializers: [] };
}

/** Numbers between -1 and 1 that repeat late. */
const numbers = (step: number) =>
  Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.sin(i * step + 1));

/**
 * How far products in float16 are off here: relative error, root mean square.
 *
 * @throws LuvitError("engine") where the device has no float16, or multiplies it wrongly.
 */
export async function halfError(runtime: OnnxRuntime, settings: SessionSettings): Promise<number> {
  const [x, w] = [numbers(0.37), numbers(0.73)];
  const error = relativeError(await multiply(runtime, settings, x, w), x, w);
  if (error <= WRONG) return error;
  throw new LuvitError(
    "engine",
    `precision "float16": products of ${WIDTH} numbers are off by ${(100 * error).toFixed(1)} % here; use float32`,
  );
}

async function multiply(
  runtime: OnnxRuntime,
  settings: SessionSettings,
  x: Float32Array,
  w: Float32Array,
): Promise<Float32Array> {
  const model = productModel();
  const session = await createSession(runtime, model, { ...settings, kept: [] });
  const [result] = model.outputs;
  const tensor = (data: Float32Array) => new runtime.Tensor("float32", data, [ROWS, WIDTH]);
  try {
    const given = await session.run({ x: tensor(x), w: tensor(w) }, { [result.name]: null });
    return given[result.name].data as Float32Array;
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    const problem = `precision "float16" cannot be had on this GPU; use float32 (${reason})`;
    throw new LuvitError("engine", problem, { cause: error });
  } finally {
    await session.release();
  }
}

function relativeError(found: Float32Array, x: Float32Array, w: Float32Array): number {
  let [errors, squares] = [0, 0];
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j < ROWS; j++) {
      let sum = 0;
      for (let k = 0; k < WIDTH; k++) sum += x[i * WIDTH + k] * w[j * WIDTH + k];
      errors += (found[i * ROWS + j] - sum) ** 2;
      squares += sum ** 2;
    }
  }
  return Math.sqrt(errors / squares);
}
