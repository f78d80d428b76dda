import { chooseEngine, type EngineOptions } from "./choose";
import { openEagerExecutor } from "./eager";
import type { Executor, Programs } from "./executor";
import { openInEngineProcess } from "./process";

/**
 * Opens programs on the engine that the options name or that is best here: in an engine process, or op by op here.
 * @throws LuvitError("engine") when it cannot be used, or cannot run the graphs.
 */
export async function openExecutor(programs: Programs, wish: EngineOptions = {}): Promise<Executor> {
  const { engine, options } = chooseEngine(wish);
  if (engine === "eager") return openEagerExecutor(programs, options);
  return openInEngineProcess(engine, programs, options);
}
