import type { Engine, OpenOptions, Programs } from "../executor";
import { EngineProcess } from "./engineProcess";
import { environmentFor, type ProcessEngine } from "./engines";
import { openIn } from "./executor";
import { memoryOf } from "./memory";

/** Processes by engine and environment, as long as they live. */
const processes = new Map<string, EngineProcess>();

/**
 * Opens programs in the engine's own process, which is started when it is first needed, shared by all executors of the
 * same kind and kept. It never keeps this process from ending and ends with it. Arrays that are handed over must stay
 * as they are until the call resolves.
 *
 * @throws LuvitError("engine-died") with the reason when the process dies, from everything unfinished and from every
 * later call of its executors; the next call of this function starts a new process.
 */
export async function openInEngineProcess(
  engine: ProcessEngine,
  programs: Programs,
  options: OpenOptions = {},
): Promise<Engine> {
  return openIn(startEngineProcess(engine, options), programs, options);
}

/** The process that programs with these options run in; started where it does not run. */
export function startEngineProcess(engine: ProcessEngine, options: OpenOptions): EngineProcess {
  return processFor(engine, environmentFor(engine, options));
}

function processFor(engine: ProcessEngine, environment: Record<string, string>): EngineProcess {
  const key = JSON.stringify([engine, environment]);
  const running = processes.get(key);
  if (running?.alive) return running;
  const started = new EngineProcess(engine, environment);
  processes.set(key, started);
  return started;
}

/** The engine processes that run now, with the number of executors in each. */
export function engineProcesses(): { engine: ProcessEngine; pid: number; executors: number }[] {
  return [...processes.values()].flatMap(({ alive, engine, pid, executors }) =>
    alive && pid !== undefined ? [{ engine, pid, executors: executors.size }] : [],
  );
}

/** Bytes that the engine processes have resident; 0 where the system does not tell. */
export function engineMemory(): number {
  return engineProcesses().reduce((sum, { pid }) => sum + (memoryOf(pid)?.resident ?? 0), 0);
}

/** Ends all engine processes; what they have not finished is rejected with LuvitError("engine"). */
export async function stopEngineProcesses(): Promise<void> {
  const running = [...processes.values()];
  processes.clear();
  await Promise.all(running.map((process) => process.stop()));
}
