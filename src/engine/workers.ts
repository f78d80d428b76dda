import { setTimeout as sleep } from "node:timers/promises";
import { deserialize, serialize } from "node:v8";
import { LuvitError } from "../core/errors";
import { type Place, workerPlace } from "../distributed/place";
import { chooseEngine } from "./choose";
import type { Engine, Programs } from "./executor";
import { devicesFor } from "./open";
import type { EngineOptions, OpenOptions } from "./options";
import { openInEngineProcess, startEngineProcess } from "./process";
import type { ProcessEngine } from "./process/engines";

/** The workers that train one model together, as one of them sees them. */
export interface Workers extends Place {
  /** "Open MPI 4.1.4". */
  readonly mpi: string;
  /** Sums over the workers. All of them must ask, in the same order. */
  sum(numbers: readonly number[]): Promise<number[]>;
  /** What each worker has, plain data, by rank. All of them must ask, in the same order. */
  gather<T>(own: T): Promise<T[]>;
  /** What the job is computed with, for comparison. */
  readonly engine: string;
  /** Opens programs in the process that has joined. */
  open(programs: Programs): Promise<Engine>;
  /** Says that something failed here, of which the others may know nothing. */
  failed(): void;
}

/** How long a worker at which something failed waits for the others to come to their end, milliseconds. */
const PATIENCE = 3000;

interface Joined {
  readonly workers: Workers;
  readonly wish: string;
  leave(): Promise<void>;
}

let joined: Promise<Joined> | undefined;

/**
 * Joins the other workers of this process's job, through the process of the engine that these options choose, in which all
 * runs of the job then are; undefined where this process is alone.
 *
 * @throws LuvitError("engine") where MPI is missing, says something else than the launcher, or was joined with another
 * engine. LuvitError("bad-argument") as `workerPlace`.
 */
export async function joinWorkers(wish: EngineOptions = {}): Promise<Workers | undefined> {
  const place = workerPlace();
  if (place.size === 1) return undefined;
  const { engine, options } = await settle(wish);
  const key = JSON.stringify([engine, options]);
  joined ??= join(place, engine, options, key);
  const { workers, wish: first } = await joined;
  if (first === key) return workers;
  throw new LuvitError(
    "engine",
    `this worker has joined the others with ${first} and cannot do so again with ${key}: all runs of a job are to have ` +
      "the same engine, precision, provider and threads",
  );
}

/**
 * Tells the launcher that this worker ends well. To be called when all is done; a second time it does nothing.
 *
 * @throws LuvitError("engine") where something failed here and the others go on: they wait for this worker in vain, and the
 * launcher ends them when it ends as failed.
 */
export async function leaveWorkers(): Promise<void> {
  const left = joined;
  joined = undefined;
  await (await left?.catch(() => undefined))?.leave();
}

/** What is tried in turn elsewhere is settled here: all workers must compute alike. */
async function settle(wish: EngineOptions): Promise<{ engine: ProcessEngine; options: OpenOptions }> {
  const choice = chooseEngine(wish);
  if (choice.engine === "eager")
    throw new LuvitError(
      "engine",
      "training on many machines needs an engine: op by op there are no sums over workers",
    );
  const [options] = (await devicesFor(choice)).candidates;
  return { engine: choice.engine, options };
}

async function join(
  { rank, size }: Place,
  engine: ProcessEngine,
  options: OpenOptions,
  wish: string,
): Promise<Joined> {
  const started = startEngineProcess(engine, options);
  const { mpi } = await started.ask("join the other workers", { act: "join", rank, size });
  let isBroken = false;
  const workers: Workers = {
    ...{ rank, size, mpi: mpi!, engine: describeChoice(engine, options) },
    async sum(numbers) {
      const bytes = new Uint8Array(Float64Array.from(numbers).buffer);
      const { arrays } = await started.ask("sum over the workers", { act: "sum" }, { numbers: bytes });
      return Array.from(new Float64Array(Uint8Array.from(arrays.numbers).buffer));
    },
    async gather<T>(own: T) {
      const { arrays } = await started.ask(
        "gather from the workers",
        { act: "gather" },
        { own: serialize(own) },
      );
      return Array.from({ length: size }, (_, of) => deserialize(arrays[of] as Uint8Array) as T);
    },
    open: (programs) => openInEngineProcess(engine, programs, options),
    failed: () => {
      isBroken = true;
    },
  };
  leaveAtTheEnd();
  const leave = async () => {
    const left = started.ask("leave the other workers", { act: "leave" });
    await (isBroken ? Promise.race([left, givingUp(rank, size)]) : left);
  };
  return { workers, wish, leave };
}

/** Engine, precision and where: what has to be the same for the same bits. */
const describeChoice = (engine: string, { precision = "float32", provider, frozen, tf32 }: OpenOptions) =>
  [engine, precision, provider, frozen, tf32 ? "tf32" : undefined].filter(Boolean).join(", ");

async function givingUp(rank: number, size: number): Promise<never> {
  await sleep(PATIENCE);
  throw new LuvitError(
    "engine",
    `worker ${rank + 1} of ${size} has failed and the others still wait for it: it ends, and the launcher ends them`,
  );
}

/** A script that has come to its end has nothing to say of it. */
function leaveAtTheEnd(): void {
  process.once("beforeExit", () => {
    leaveWorkers().catch((error) => {
      console.error(error.message);
      process.exit(1);
    });
  });
}
