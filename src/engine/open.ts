import { LuvitError } from "../core/errors";
import { chooseEngine, type EngineChoice } from "./choose";
import { openEagerEngine } from "./eager";
import type { Engine, EngineDescription, OpenOptions, Programs } from "./executor";
import { probeGpu } from "./gpu";
import type { EngineOptions } from "./options";
import { openInEngineProcess, startEngineProcess } from "./process";

/**
 * Starts the process that `openEngine` will need, so that it is up when there are programs.
 *
 * @throws LuvitError("engine") when what is demanded cannot be had.
 */
export function startEngine(wish: EngineOptions = {}): void {
  const { engine, options } = chooseEngine(wish);
  if (engine !== "eager") startEngineProcess(engine, options);
}

/** Devices to try, the best first, and why others are not among them. */
export interface Devices {
  readonly candidates: readonly OpenOptions[];
  readonly passedOver: readonly string[];
}

/** What was asked for and only the CPU has; undefined where the GPU could do all of it. */
function cpuOnly({ threads, frozen }: OpenOptions): string | undefined {
  if (threads !== undefined) return "threads are the CPU's";
  return frozen && `weights in ${frozen} are the CPU's`;
}

/** @throws LuvitError("engine") where there is no GPU, saying why. */
async function onGpuOnly(options: OpenOptions): Promise<Devices> {
  const { usable, reason } = await probeGpu();
  if (!usable)
    throw new LuvitError(
      "engine",
      `precision "float16" is for GPUs through WebGPU, which cannot be used: ${reason}`,
    );
  return { candidates: [{ ...options, provider: "webgpu" }], passedOver: [] };
}

/** Where nobody says on what, a GPU that is right and faster goes before the CPU. */
export async function devicesFor({ engine, options }: EngineChoice): Promise<Devices> {
  const asAsked = { candidates: [options], passedOver: [] };
  if (engine !== "onnxruntime" || options.provider) return asAsked;
  if (options.precision === "float16") return onGpuOnly(options);
  const asked = cpuOnly(options);
  if (asked) return { ...asAsked, passedOver: [`webgpu not used: ${asked}`] };
  const { usable, reason } = await probeGpu();
  if (!usable) return { ...asAsked, passedOver: [`webgpu not used: ${reason}`] };
  const candidates = [{ ...options, provider: "webgpu" as const }, options];
  return { candidates, passedOver: [`cpu not used: webgpu is right and faster, ${reason}`] };
}

/**
 * Opens programs on the engine that the options name or that is best here: in an engine process, or op by op here. Where
 * nobody demanded what only an engine can do, programs that the chosen one does not take run op by op; the executor's
 * description has the reason.
 *
 * @throws LuvitError("engine") when what is demanded cannot be had, or cannot run the graphs.
 */
export async function openEngine(programs: Programs, wish: EngineOptions = {}): Promise<Engine> {
  const choice = chooseEngine(wish);
  const { engine, options, demanded, passedOver } = choice;
  if (engine === "eager")
    return openEagerEngine(programs, options, demanded ? "asked for" : passedOver.join("; "));
  const { candidates } = await devicesFor(choice);
  const reasons: string[] = [];
  for (const [i, candidate] of candidates.entries()) {
    try {
      return withReason(await openInEngineProcess(engine, programs, candidate), reasons);
    } catch (error) {
      const isLast = i === candidates.length - 1;
      const died = error instanceof LuvitError && error.code === "engine-died";
      if (isLast && (died || demanded)) throw error;
      const [reason] = (error as Error).message.split("\n");
      reasons.push(`${died ? "its engine died" : "it does not compile"}: ${reason}`);
    }
  }
  return openEagerEngine(programs, options, reasons.join("; "));
}

/** An engine that says what was tried before it. */
function withReason(engine: Engine, reasons: readonly string[]): Engine {
  if (reasons.length === 0) return engine;
  const description: EngineDescription = { ...engine.description, reason: reasons.join("; ") };
  return Object.assign(engine, { description });
}
