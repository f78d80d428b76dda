import { LuvitError } from "../../src/core/errors";
import { type Executor, type OpenExecutor, openOnnxExecutor, type Programs } from "../../src/engine";
import type { Module } from "../../src/nn/module";
import { collectGarbage } from "./memory";
import type { BenchOptions } from "./options";

/** Opens programs on the engine asked for, as training does. */
export function openPrograms(programs: Programs, options: BenchOptions): Promise<Executor> {
  const { precision, frozen, provider } = options;
  return openerOf(options)(programs, { precision, frozen, provider });
}

function openerOf({ engine }: BenchOptions): OpenExecutor {
  if (engine === "onnxruntime") return openOnnxExecutor;
  throw new LuvitError("bad-argument", `bench: this bench does not run on the engine "${engine}"`);
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
