import { LuvitError } from "../core/errors";
import { entry, flag, oneOf, optionsOf, whole, withoutUndefined } from "../core/options";

/** What can be said of an engine, each in one place: types, checks, the command line and the benches take it from here. */
export const engineChoices = {
  engine: ["auto", "onnxruntime", "tensorflow", "eager"],
  /** Element type of matrix products; everything else is float32. */
  precision: ["float32", "bfloat16", "float16"],
  provider: ["cpu", "cuda", "webgpu"],
  frozen: ["int8"],
} as const;

type Choice<Name extends keyof typeof engineChoices> = (typeof engineChoices)[Name][number];

/** What runs traced graphs: `eager` is tfjs, op by op. */
export type EngineName = Exclude<Choice<"engine">, "auto">;

/** Element type of matrix products; everything else is float32. */
export type Precision = Choice<"precision">;

/** How programs are to be run. What an engine cannot do it refuses, saying so. */
export interface OpenOptions {
  /** Default: as many as the machine has cores for this process. */
  threads?: number;
  /**
   * What computes. Default: with the onnxruntime engine "webgpu" where a GPU is right and faster than the CPU, else "cpu";
   * with the tensorflow engine a GPU where there is one.
   */
  provider?: Choice<"provider">;
  /** Default float32. "bfloat16" is for the tensorflow engine, "float16" for GPUs through WebGPU. */
  precision?: Precision;
  /**
   * "int8": weights of matrix products that no program changes are kept in eight bits, and so are multiplied; what they
   * are multiplied with is quantized row by row on the way, in the gradient as well. The products are off by some 2 %
   * (root mean square, normally distributed numbers). Everything else stays as `precision` says.
   */
  frozen?: Choice<"frozen">;
  /**
   * Whether float32 products on an NVIDIA GPU from Ampere on may take their operands in TensorFloat-32 (ten binary digits
   * in place of 23). Default false.
   */
  tf32?: boolean;
}

/** What compiled graphs are to run on. What is left out is chosen. */
export interface EngineOptions extends OpenOptions {
  /** Default "auto": onnxruntime, for bfloat16 or on a GPU tensorflow, op by op where neither can be used. */
  engine?: Choice<"engine">;
}

/** What options say of the engine, and nothing else; what they leave out is not there. */
export function engineOf({
  engine,
  threads,
  provider,
  precision,
  frozen,
  tf32,
}: EngineOptions): EngineOptions {
  return withoutUndefined({ engine, threads, provider, precision, frozen, tf32 });
}

/** @throws LuvitError("bad-argument") listing every option that cannot be. */
export function expectEngineOptions(options: EngineOptions): void {
  const problems = Object.entries(engineChoices).flatMap(([name, known]) => {
    const value = options[name as keyof typeof engineChoices];
    if (value === undefined || (known as readonly string[]).includes(value)) return [];
    const [last, ...rest] = [...known].reverse();
    const expected = rest.length > 0 ? `${rest.reverse().join(", ")} or ${last}` : last;
    return [`${name} "${value}", expected ${expected}`];
  });
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
    problems.push(`threads is ${threads}, expected a whole number from 1`);
  if (problems.length > 0) throw new LuvitError("bad-argument", `engine options: ${problems.join("; ")}`);
}

/** What compiled graphs run on, as it is checked. */
export const engineOptions = optionsOf<EngineOptions>(
  {},
  {
    engine: entry(oneOf(engineChoices.engine), "default auto", "auto"),
    precision: entry(oneOf(engineChoices.precision), "of matrix products", "float32"),
    threads: entry(whole(1, 4096), "default as many as there are cores", 8),
    provider: entry(oneOf(engineChoices.provider), "what computes", "cpu"),
    frozen: entry(oneOf(engineChoices.frozen), "frozen weights in eight bits", "int8"),
    tf32: entry(flag, "float32 products in TensorFloat-32 on a GPU", false),
  },
);
