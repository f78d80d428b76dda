import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, oneOf, optionsOf } from "../core/options";
import { packageVersion } from "../core/packageRoot";
import { type BackendName, startBackend, type TfjsStatus } from "../core/tf";
import { loadAddon, shortVersion } from "../distributed/addon";
import { placeIn } from "../distributed/place";
import type { Graph } from "../graph/ir";
import { chooseEngine, setEngineDefaults } from "./choose";
import { describeEngine, type EngineDescription } from "./executor";
import { forgetGpu } from "./gpu";
import { devicesFor, openEngine } from "./open";
import { type EngineOptions, engineOptions } from "./options";

/** What the library runs on, which prints as one line, and why not on something else. */
export class EngineStatus {
  constructor(
    /** What training steps, evaluation and analysis run on, as one graph each. */
    readonly engine: EngineDescription,
    /** What single ops in cells run on. */
    readonly cells: TfjsStatus,
    /** Engines and backends that were not taken, each with its reason. */
    readonly passedOver: readonly string[],
    readonly version: string,
    /** "worker 2 of 4 (Open MPI 4.1.4)", where several train one model. */
    readonly worker?: string,
  ) {}

  toString(): string {
    const engine = this.engine.engine === "eager" ? "op by op" : describeEngine(this.engine);
    const worker = this.worker === undefined ? "" : ` · ${this.worker}`;
    return `engine: ${engine} · cells: ${this.cells} · luvit ${this.version}${worker}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Which engine and which tfjs backend to start. */
export interface ReadyOptions extends EngineOptions {
  /** The tfjs backend that single ops in cells run on; default what is best here, or LUVIT_BACKEND. */
  backend?: BackendName;
}

export const readyOptions = optionsOf<ReadyOptions>(
  {},
  { ...engineOptions.optional, backend: oneOf(["tensorflow", "wasm", "cpu"]) },
);

/**
 * Starts the tfjs backend for single ops and the engine for compiled graphs, and says what they are. What is given here
 * holds for every run, evaluation and analysis that does not ask for something else.
 *
 * @throws LuvitError("engine") when what is demanded cannot be had, saying why and what to do.
 *
 * @example
 * console.log(String(await luvit.ready({ engine: "auto" })));
 */
export async function ready(options: ReadyOptions = {}): Promise<EngineStatus> {
  checkOptions("ready", readyOptions, options);
  const { backend, ...wish } = options;
  const cells = await startBackend({ backend });
  const choice = chooseEngine(wish);
  forgetGpu();
  const { candidates, passedOver: devices } = await devicesFor(choice);
  const description = await tryOut(wish);
  const { engine, device, reason } = description;
  const [first, ...others] = candidates;
  const isFirst = engine === choice.engine && (others.length === 0 || device === first.provider);
  const tried = [choice.engine, first.provider].filter(Boolean).join(" ");
  const passedOver = [...choice.passedOver, ...(isFirst ? devices : [`${tried} not used: ${reason}`])];
  setEngineDefaults(wish);
  const all = [...passedOver, ...cells.passedOver];
  return new EngineStatus(description, cells, all, packageVersion(), describeWorker());
}

/** @throws LuvitError("engine") where there are several workers, and no MPI that could be used. */
function describeWorker(): string | undefined {
  const { rank, size } = placeIn();
  if (size === 1) return undefined;
  return `worker ${rank + 1} of ${size} (${shortVersion(loadAddon().about())})`;
}

/** y = x * w, two numbers each. */
const trial: Graph = {
  name: "trial",
  inputs: [{ name: "x", value: { id: 0, shape: [2], dtype: "float32" } }],
  state: [{ name: "w", value: { id: 1, shape: [2], dtype: "float32" } }],
  constants: [],
  nodes: [
    {
      op: "Multiply",
      inputs: [0, 1],
      inputNames: ["a", "b"],
      outputs: [{ id: 2, shape: [2], dtype: "float32" }],
      attributes: {},
    },
  ],
  outputs: [{ name: "y", id: 2 }],
};

/**
 * What graphs run on: said after one has. Libraries, drivers and devices are only asked for when there is something to do.
 * @throws LuvitError("engine") when it cannot be had, or computes something else.
 */
async function tryOut(wish: EngineOptions): Promise<EngineDescription> {
  const executor = await openEngine({ trial: { graph: trial } }, wish);
  try {
    await executor.writeState({ w: Float32Array.of(3, -4) });
    const { y } = await executor.run("trial", { x: Float32Array.of(2, 0.5) });
    if (y[0] === 6 && y[1] === -2) return executor.description;
    const engine = describeEngine(executor.description);
    throw new LuvitError(
      "engine",
      `${engine} cannot be used: [2, 0.5] * [3, -4] came out as [${y.join(", ")}]`,
    );
  } finally {
    await executor.dispose();
  }
}
