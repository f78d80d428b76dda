import { LuvitError } from "../core/errors";

/** Where a process stands among the workers that train one model together. */
export interface Place {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const ALONE: Place = { rank: 0, size: 1 };

/** Names under which launchers tell a process its rank and the number of processes. */
const LAUNCHERS: readonly (readonly [rank: string, size: string])[] = [
  ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
  ["PMI_RANK", "PMI_SIZE"],
  ["PMIX_RANK", "SLURM_STEP_NUM_TASKS"],
];

/**
 * What mpirun (Open MPI, MPICH, Intel MPI) or srun with PMI-2 or PMIx have written into the environment; alone where they
 * have not. Whether MPI agrees shows when the workers join.
 */
export function placeIn(environment: Environment = process.env): Place {
  for (const [rank, size] of LAUNCHERS) {
    const [r, n] = [environment[rank], environment[size]];
    if (r !== undefined && n !== undefined && /^\d+$/.test(r) && /^\d+$/.test(n) && Number(r) < Number(n))
      return { rank: Number(r), size: Number(n) };
  }
  return ALONE;
}

/**
 * The same for training, which must not go on alone where several processes were meant to train together.
 *
 * @throws LuvitError("bad-argument") where SLURM has started several tasks without MPI, or TF_CONFIG names a cluster.
 */
export function workerPlace(environment: Environment = process.env): Place {
  const place = placeIn(environment);
  if (place.size > 1) return place;
  const { SLURM_STEP_NUM_TASKS: tasks = "1", TF_CONFIG: cluster } = environment;
  if (isStep(environment) && Number(tasks) > 1)
    throw new LuvitError(
      "bad-argument",
      `srun has started ${tasks} tasks without MPI, each of which would train by itself into the same folder; ` +
        "use srun --mpi=pmix (srun --mpi=list names what there is), or mpirun inside sbatch",
    );
  const peers = clusterSize(cluster);
  if (peers > 1)
    throw new LuvitError(
      "bad-argument",
      `TF_CONFIG names ${peers} workers; workers find each other over MPI here: start them with mpirun ` +
        "(on Kubernetes as an MPIJob), and leave TF_CONFIG unset",
    );
  return place;
}

/** Whether srun has started this process; what sbatch runs once has a number for a step, too. */
export const isStep = ({ SLURM_STEP_ID: step }: Environment): boolean =>
  step !== undefined && !/^4294967\d+$/.test(step);

/** Workers that TF_CONFIG names; 0 where there is none, or nothing that can be read. */
function clusterSize(config: string | undefined): number {
  if (!config) return 0;
  try {
    const { cluster } = JSON.parse(config) as { cluster?: Record<string, unknown> };
    const tasks = ["chief", "master", "worker"].flatMap((job) => cluster?.[job] ?? []);
    return tasks.length;
  } catch {
    return 0;
  }
}

/** Number of a worker among those of its machine, from 0: each takes a GPU of its own. */
export function localRank(environment: Environment = process.env): number {
  if (placeIn(environment).size === 1) return 0;
  const names = ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"];
  const found = names.map((name) => environment[name]).find((value) => value && /^\d+$/.test(value));
  return Number(found ?? 0);
}

/** Numbers of workers among which so many batches of a step can be shared out evenly. */
export function possibleSizes(batches: number): number[] {
  return Array.from({ length: batches }, (_, i) => i + 1).filter((size) => batches % size === 0);
}
