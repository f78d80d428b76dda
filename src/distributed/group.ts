import { LuvitError } from "../core/errors";
import { loadAddon, type MpiAddon, shortVersion } from "./addon";
import type { Place } from "./place";

/** Bytes of a broadcast: MPI counts in 32 bits. */
const MOST_AT_ONCE = 2 ** 30;

/** What a sum over the workers is sent in. */
export type SumPrecision = "float32" | "bfloat16";

/** The workers of a job, as the process that has joined it sees them. All of them must call the same, in the same order. */
export class WorkerGroup implements Place {
  /** Collectives come one after the other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly addon: MpiAddon,
    readonly rank: number,
    readonly size: number,
    /** "Open MPI 4.1.4". */
    readonly mpi: string,
  ) {}

  /** Sums in place over all workers; every worker gets the same bits. */
  sum(array: Float32Array | Float64Array, precision: SumPrecision = "float32"): Promise<void> {
    return this.inTurn(() => this.addon.sum(array, precision === "bfloat16"));
  }

  /** What worker `root`, the first one, has becomes what all have. */
  broadcast(array: Float32Array | Float64Array | Uint8Array, root = 0): Promise<void> {
    return this.inTurn(() => this.addon.broadcast(array, root));
  }

  /** What each worker has, by rank. */
  async gather(own: Uint8Array): Promise<Uint8Array[]> {
    const lengths = new Float64Array(this.size);
    lengths[this.rank] = own.length;
    await this.sum(lengths);
    const all = Array.from(lengths, (length, rank) => (rank === this.rank ? own : new Uint8Array(length)));
    for (const [rank, bytes] of all.entries())
      for (let at = 0; at < bytes.length; at += MOST_AT_ONCE)
        await this.broadcast(bytes.subarray(at, at + MOST_AT_ONCE), rank);
    return all;
  }

  /**
   * Tells the job, when all have come to it, that this worker ends well; without it mpirun takes the end for a failure.
   */
  async leave(): Promise<void> {
    await this.sum(new Float64Array(1));
    return this.inTurn(async () => this.addon.leave());
  }

  private inTurn<T>(collective: () => Promise<T>): Promise<T> {
    const turn = this.last.then(collective).catch((cause) => {
      throw new LuvitError("engine", `MPI: worker ${this.rank + 1} of ${this.size}: ${cause.message}`, {
        cause,
      });
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }
}

let joined: WorkerGroup | undefined;

/**
 * The group that this process has joined, for what only a group can do.
 *
 * @throws LuvitError("engine") where it has joined none.
 */
export function groupFor(doing: string): WorkerGroup {
  if (joined) return joined;
  throw new LuvitError("engine", `${doing}: this process has joined no group of workers`);
}

/**
 * Joins the job, once in the life of a process.
 *
 * @throws LuvitError("engine") where MPI says something else than the launcher: the launcher is of another MPI.
 */
export function joinGroup({ rank, size }: Place, path?: string): WorkerGroup {
  if (joined) return joined;
  const addon = loadAddon(path);
  const found = addon.join();
  const mpi = shortVersion(found.version);
  if (found.rank !== rank || found.size !== size)
    throw new LuvitError(
      "engine",
      `the launcher says worker ${rank + 1} of ${size}, ${mpi} says ${found.rank + 1} of ${found.size}: they are not of ` +
        "the same MPI. Take the mpirun that belongs to the mpicxx that luvit engine install --mpi was run with",
    );
  joined = new WorkerGroup(addon, rank, size, mpi);
  return joined;
}
