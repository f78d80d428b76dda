import { LuvitError } from "../../src/core/errors";
import { describeEngine, type Executor, openInEngineProcess, type Programs } from "../../src/engine";
import type { Module } from "../../src/nn/module";
import { collectGarbage } from "./memory";
import type { BenchOptions } from "./options";

/** Opens programs in the process of the engine asked for, as training does. */
export async function openPrograms(programs: Programs, options: BenchOptions): Promise<Executor> {
  const { engine, precision, frozen, provider } = options;
  if (engine === "eager")
    throw new LuvitError("bad-argument", `${options.name}: eager tfjs runs no programs`);
  const executor = await openInEngineProcess(engine, programs, { precision, frozen, provider });
  const { description } = executor;
  if (description.precision === precision && description.frozen === frozen) return executor;
  const wanted = [precision, frozen].filter(Boolean).join(", ");
  throw new LuvitError("engine", `${options.name}: asked for ${wanted}, got ${describeEngine(description)}`);
}

/** Bytes of a parameter from which on it is worth a garbage collection. */
const LARGE = 8e6;

/**
 * Fills an executor's state with a model's first values, one parameter at a time: the model itself never takes the
 * memory of more than one, and is of no use afterwards.
 */
export async function handOver(model: Module, executor: Executor): Promise<void> {
  for (const [path, parameter] of model.namedParameters()) {
    const { data } = await parameter.read();
    parameter.dispose();
    await executor.writeState({ [path]: data });
    if (data.byteLength > LARGE) collectGarbage();
  }
}
