import { LuvitError } from "../core/errors";
import { chooseEngine } from "./choose";
import { openEagerEngine } from "./eager";
import type { Engine, Programs } from "./executor";
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

/**
 * Opens programs on the engine that the options name or that is best here: in an engine process, or op by op here. Where
 * nobody demanded what only an engine can do, programs that the chosen one does not take run op by op; the executor's
 * description has the reason.
 *
 * @throws LuvitError("engine") when what is demanded cannot be had, or cannot run the graphs.
 */
export async function openEngine(programs: Programs, wish: EngineOptions = {}): Promise<Engine> {
  const { engine, options, demanded, passedOver } = chooseEngine(wish);
  if (engine === "eager")
    return openEagerEngine(programs, options, demanded ? "asked for" : passedOver.join("; "));
  try {
    return await openInEngineProcess(engine, programs, options);
  } catch (error) {
    const died = error instanceof LuvitError && error.code === "engine-died";
    if (demanded || died) throw error;
    const [reason] = (error as Error).message.split("\n");
    return openEagerEngine(programs, options, `it does not compile: ${reason}`);
  }
}
