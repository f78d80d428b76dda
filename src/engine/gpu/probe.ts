import { LuvitError } from "../../core/errors";
import type { Engine, OpenOptions } from "../executor";
import { EngineProcess } from "../process/engineProcess";
import { environmentFor } from "../process/engines";
import { openIn } from "../process/executor";
import { adapterOf, gpuProblem, hasVulkanLoader } from "./adapter";
import { trialFeeds, trialPrograms, trialState } from "./trial";

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

let found: Promise<GpuProbe> | undefined;

/** Tries WebGPU in a process of its own, once: whatever a driver does there, this process goes on. */
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
  const settings = environmentFor("onnxruntime", {});
  const trial = new EngineProcess("onnxruntime", { ...settings, ...environment });
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<GpuProbe>((resolve) => {
    const reason = `its driver gave no answer within ${PATIENCE_MS / 1000} s`;
    timer = setTimeout(resolve, PATIENCE_MS, { usable: false, reason });
  });
  try {
    return await Promise.race([examine(trial, software), timeout]);
  } catch (error) {
    return { usable: false, reason: reasonOf(error, trial) };
  } finally {
    clearTimeout(timer);
    await trial.stop();
  }
}

function reasonOf(error: unknown, trial: EngineProcess): string {
  const isLinux = process.platform === "linux" && trial.pid !== undefined;
  const [reason] = (error as Error).message.split("\n");
  if (!(error instanceof LuvitError)) throw error;
  return isLinux && trial.alive && !hasVulkanLoader(trial.pid!)
    ? "libvulkan.so.1 cannot be loaded (Debian: apt install libvulkan1; Fedora: dnf install vulkan-loader)"
    : reason;
}

async function examine(trial: EngineProcess, software: boolean): Promise<GpuProbe> {
  const gpu = await openTrial(trial, "webgpu");
  const adapter = adapterOf(trial.pid!);
  if (adapter?.isSoftware && !software)
    return { usable: false, reason: `its only driver is ${adapter.name}` };
  const cpu = await openTrial(trial, "cpu");
  return judge({
    there: await train(gpu),
    here: await train(cpu),
    msThere: await timeOf(gpu),
    msHere: await timeOf(cpu),
  });
}

/** Losses and weights of the trial step, and milliseconds of the trial products, on the GPU and on the CPU. */
export interface Comparison {
  readonly there: readonly number[];
  readonly here: readonly number[];
  readonly msThere: number;
  readonly msHere: number;
}

/** A GPU has to be right, then faster. */
export function judge({ there, here, msThere, msHere }: Comparison): GpuProbe {
  const errors = here.map((x, i) => Math.abs(x - there[i]) / Math.max(1, Math.abs(x)));
  const worst = errors.find(Number.isNaN) ?? Math.max(...errors);
  if (!(worst <= TOLERANCE))
    return {
      usable: false,
      reason: `it computes a step of training wrongly (off by ${worst.toExponential(1)})`,
    };
  const times = `${msThere.toFixed(1)} ms against ${msHere.toFixed(1)} ms of the CPU for four products of 512 x 512`;
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
async function timeOf(engine: Engine): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 4 && (times[1] ?? 0) < LONG_MS; run++) {
    const started = performance.now();
    await engine.run("multiply", {});
    times.push(performance.now() - started);
  }
  return Math.min(...times.slice(1));
}
