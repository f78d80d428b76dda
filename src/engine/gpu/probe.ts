import { setTimeout as pause } from "node:timers/promises";
import type { Engine, OpenOptions } from "../executor";
import { EngineProcess } from "../process/engineProcess";
import { environmentFor } from "../process/engines";
import { openIn } from "../process/executor";
import { adapterOf, gpuProblem, hasVulkanLoader } from "./adapter";
import { LARGE, multiply, PRODUCTS, SMALL, trialFeeds, trialPrograms, trialState } from "./trial";

/** What came of trying a GPU. */
export interface GpuProbe {
  /** Whether it is right and faster than the CPU. */
  readonly usable: boolean;
  /** Why, or why not, for people. */
  readonly reason: string;
}

/** Drivers of unusual machines have been seen to wait for ever. */
const PATIENCE_MS = 90_000;
/** What float32 may differ by between two orders of summation here. */
const TOLERANCE = 2e-5;
const STEPS = 3;
const LONG_MS = 1000;
/** Products that take a GPU longer than this are not worth trying in a larger size. */
const SHORT_MS = 200;
const END_MS = 2000;

let found: Promise<GpuProbe> | undefined;

/** What was found is not believed any longer: a driver may have been installed, memory become free. */
export function forgetGpu(): void {
  found = undefined;
}

/** Tries WebGPU in a process of its own, once: whatever a driver does there, this process goes on. Never rejects. */
export function probeGpu(): Promise<GpuProbe> {
  const problem = gpuProblem();
  if (problem) return Promise.resolve({ usable: false, reason: problem });
  found ??= examineGpu();
  return found;
}

/**
 * The same without asking whether there is a GPU at all, in an environment that may name another driver; on request a
 * device in software is judged as a GPU would be.
 */
export async function examineGpu(
  environment: Readonly<Record<string, string>> = {},
  { software = false } = {},
): Promise<GpuProbe> {
  let trial: EngineProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<GpuProbe>((resolve) => {
    const reason = `its driver gave no answer within ${PATIENCE_MS / 1000} s`;
    timer = setTimeout(resolve, PATIENCE_MS, { usable: false, reason });
  });
  try {
    trial = new EngineProcess("onnxruntime", { ...environmentFor("onnxruntime", {}), ...environment });
    return await Promise.race([examine(trial, software), timeout]);
  } catch (error) {
    return { usable: false, reason: reasonOf(error as Error, trial) };
  } finally {
    clearTimeout(timer);
    if (trial) await Promise.race([trial.stop(), pause(END_MS, undefined, { ref: false })]); // drivers may hold it
  }
}

function reasonOf({ message }: Error, trial: EngineProcess | undefined): string {
  const hasLoader = process.platform !== "linux" || !trial?.alive || !trial.pid || hasVulkanLoader(trial.pid);
  if (hasLoader) return message.split("\n")[0];
  return "libvulkan.so.1, or a driver for it, is missing (Debian: apt install libvulkan1 mesa-vulkan-drivers, or NVIDIA's)";
}

async function examine(trial: EngineProcess, software: boolean): Promise<GpuProbe> {
  const gpu = await openTrial(trial, "webgpu");
  const adapter = adapterOf(trial.pid!);
  if (adapter?.isSoftware && !software)
    return { usable: false, reason: `its only driver is ${adapter.name}` };
  const cpu = await openTrial(trial, "cpu");
  const results = { there: await train(gpu), here: await train(cpu) };
  const small = await timeOf(gpu, SMALL);
  const side = small < SHORT_MS ? LARGE : SMALL;
  const msThere = side === SMALL ? small : await timeOf(gpu, side);
  return judge({ ...results, side, msThere, msHere: await timeOf(cpu, side) });
}

/** Losses and weights of the trial step, and milliseconds of the trial products, on the GPU and on the CPU. */
export interface Comparison {
  readonly there: readonly number[];
  readonly here: readonly number[];
  readonly msThere: number;
  readonly msHere: number;
  /** Length of the products' sides. */
  readonly side: number;
}

/** A GPU has to be right, then faster. */
export function judge({ there, here, msThere, msHere, side }: Comparison): GpuProbe {
  const errors = here.map((x, i) => Math.abs(x - there[i]) / Math.max(1, Math.abs(x)));
  const worst = errors.find(Number.isNaN) ?? Math.max(...errors);
  if (!(worst <= TOLERANCE))
    return {
      usable: false,
      reason: `it computes a step of training wrongly (off by ${worst.toExponential(1)})`,
    };
  const times = `${msThere.toFixed(1)} ms against ${msHere.toFixed(1)} ms of the CPU for ${PRODUCTS} products of ${side} x ${side}`;
  return msThere < msHere
    ? { usable: true, reason: `it takes ${times}` }
    : { usable: false, reason: `it is slower: ${times}` };
}

async function openTrial(trial: EngineProcess, provider: OpenOptions["provider"]): Promise<Engine> {
  const engine = await openIn(trial, trialPrograms(), { provider });
  await engine.writeState(trialState());
  return engine;
}

/** Losses and weights of a few steps. */
async function train(engine: Engine): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 1; step <= STEPS; step++)
    losses.push((await engine.run("train", trialFeeds(step))).loss[0]);
  const { weight } = await engine.readState(["weight"]);
  return [...losses, ...weight];
}

/** The least of a few runs, after one that compiles; of one where they take long. */
async function timeOf(engine: Engine, side: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 4 && (times[1] ?? 0) < LONG_MS; run++) {
    const started = performance.now();
    await engine.run(multiply(side), {});
    times.push(performance.now() - started);
  }
  return Math.min(...times.slice(1));
}
