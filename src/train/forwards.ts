import { sizeOf } from "../core/hostTensor";
import { describeRunning, type EngineOptions, openEngine, startEngine } from "../engine";
import { sendParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import { arraysOf, type Feeds } from "./feeds";
import type { KeepingFunction } from "./forward";
import { traceFunction } from "./stepPrograms";

/** Several forward functions of a model, ready to be called. */
export interface Forwards {
  /** What they run on, for people. */
  readonly engine: string;
  run(name: string, feeds: Feeds): Promise<Record<string, Float32Array>>;
  dispose(): Promise<void>;
}

/**
 * Gets forward functions ready on one engine, which has the model's weights once.
 * @throws LuvitError("engine") when the engine asked for cannot be had or cannot run them.
 */
export async function openForwards(
  model: Module,
  functions: Readonly<Record<string, KeepingFunction>>,
  options: EngineOptions = {},
): Promise<Forwards> {
  startEngine(options); // its process comes up while graphs are traced
  const programs = Object.fromEntries(
    Object.entries(functions).map(([name, body]) => [name, traceFunction(name, model, body)]),
  );
  const executor = await openEngine(programs, options);
  try {
    await sendParameters(executor, model.namedParameters());
    for (const { kept = {} } of Object.values(functions))
      for (const [name, shape] of Object.entries(kept))
        await executor.writeState({ [name]: new Float32Array(sizeOf(shape)) });
  } catch (error) {
    await executor.dispose();
    throw error;
  }
  return {
    engine: describeRunning(executor.description),
    run: async (name, feeds) => (await executor.run(name, arraysOf(feeds))) as Record<string, Float32Array>,
    dispose: () => executor.dispose(),
  };
}
