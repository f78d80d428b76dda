import { LuvitError } from "../../src/core/errors";
import { describeEngine, type Engine, openEngine, type Programs } from "../../src/engine";
import type { BenchOptions } from "./options";

/** Opens programs on the engine asked for, as training does. */
export async function openPrograms(programs: Programs, options: BenchOptions): Promise<Engine> {
  const { name, engine, precision, frozen, provider } = options;
  const executor = await openEngine(programs, { engine, precision, frozen, provider });
  const { description } = executor;
  if (description.precision === precision && description.frozen === frozen) return executor;
  const wanted = [precision, frozen].filter(Boolean).join(", ");
  throw new LuvitError("engine", `${name}: asked for ${wanted}, got ${describeEngine(description)}`);
}
