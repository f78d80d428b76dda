import { inspect } from "node:util";
import { checkOptions } from "../core/options";
import { packageVersion } from "../core/packageRoot";
import { type BackendName, startBackend, type TfjsStatus } from "../core/tf";
import { chooseEngine, type EngineOptions, setEngineDefaults } from "./choose";
import { describeEngine, type EngineDescription } from "./executor";
import { openExecutor } from "./open";
import { readyOptions } from "./options";

/** What the library runs on, and why not on something else. Prints as one line. */
export class EngineStatus {
  constructor(
    /** What training steps, evaluation and analysis run on, as one graph each. */
    readonly engine: EngineDescription,
    /** What single ops in cells run on. */
    readonly cells: TfjsStatus,
    /** Engines and backends that were not taken, each with its reason. */
    readonly passedOver: readonly string[],
    readonly version: string,
  ) {}

  toString(): string {
    const engine = this.engine.engine === "eager" ? "op by op" : describeEngine(this.engine);
    const parts = [`engine: ${engine}`, `cells: ${this.cells}`, ...this.passedOver, `luvit ${this.version}`];
    return parts.join(" · ");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

export interface ReadyOptions extends EngineOptions {
  /** The tfjs backend that single ops in cells run on; default what is best here, or LUVIT_BACKEND. */
  backend?: BackendName;
}

/**
 * Starts the tfjs backend for single ops and the engine for compiled graphs, and says what they are. What is given here
 * holds for every run, evaluation and analysis that does not ask for something else.
 *
 * @throws LuvitError("engine") when what is demanded cannot be had, saying why and what to do.
 */
export async function ready(options: ReadyOptions = {}): Promise<EngineStatus> {
  checkOptions("ready", readyOptions, options);
  const { backend, ...wish } = options;
  const cells = await startBackend({ backend });
  const { passedOver } = chooseEngine(wish);
  // An executor without programs: the process is up, the library loaded, the device known.
  const executor = await openExecutor({}, wish);
  const { description } = executor;
  await executor.dispose();
  setEngineDefaults(wish);
  return new EngineStatus(description, cells, [...passedOver, ...cells.passedOver], packageVersion());
}
