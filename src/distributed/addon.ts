import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { engineCache } from "../core/engineCache";
import { LuvitError } from "../core/errors";

/** `mpi.cc`, built with the site's MPI. */
export interface MpiAddon {
  /** The library's own words about its version. */
  about(): string;
  /** Joins the job, once in the life of a process. */
  join(): { rank: number; size: number; version: string };
  leave(): void;
  /**
   * Sums in place over all workers; all get the same bits. With `halves` float32 is sent in bfloat16: half of the bytes, and
   * what each worker gives, and every sum of two on the way, is rounded.
   */
  sum(array: Float32Array | Float64Array, halves?: boolean): Promise<void>;
  /** What worker `root` has becomes what all have. */
  broadcast(array: Float32Array | Float64Array | Uint8Array, root: number): Promise<void>;
}

/** Where `luvit engine install --mpi` puts what it has built. */
export function addonPath(): string {
  return join(engineCache(), `mpi-${process.platform}-${process.arch}`, "mpi.node");
}

/**
 * Loads the addon, and MPI with it.
 *
 * @throws LuvitError("engine") where it was not built, or does not load.
 */
export function loadAddon(path = addonPath()): MpiAddon {
  if (!existsSync(path))
    throw new LuvitError(
      "engine",
      `MPI: ${path} is not there; build it on this machine, with the site's MPI: npx luvit engine install --mpi`,
    );
  try {
    return createRequire(__filename)(path) as MpiAddon;
  } catch (cause) {
    throw new LuvitError(
      "engine",
      `MPI: ${path} does not load (${(cause as Error).message}); the MPI that it was built with has to be loaded here ` +
        "(module load, LD_LIBRARY_PATH), or build it anew: npx luvit engine install --mpi",
      { cause },
    );
  }
}

/** "Open MPI 4.1.4", "MPICH 4.0.2" out of a library's own words, else their beginning. */
export function shortVersion(version: string): string {
  const [line] = version.trim().split("\n");
  const openMpi = /Open MPI v?([\d.]+)/i.exec(version);
  if (openMpi) return `Open MPI ${openMpi[1]}`;
  const mpich = /MPICH Version:?\s*([\w.]+)/i.exec(version);
  if (mpich) return `MPICH ${mpich[1]}`;
  return line.slice(0, 60);
}
