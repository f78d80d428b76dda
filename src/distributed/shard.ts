import { LuvitError } from "../core/errors";
import { isStep, placeIn } from "./place";

type Environment = Readonly<Record<string, string | undefined>>;

/** A part of all, from 1. */
interface Part {
  index: number;
  count: number;
}

/**
 * The part of an evaluation that is this process's: of a SLURM array (SLURM_ARRAY_TASK_ID), of an indexed job of
 * Kubernetes (JOB_COMPLETION_INDEX, which does not say of how many: `count` does), by the rank that mpirun or srun gave;
 * where a task of an array has started several workers, each has its part of the task's.
 *
 * @throws LuvitError("bad-argument") where nothing says which part, or of how many.
 */
export function shardHere(count?: number, environment: Environment = process.env): Part {
  const job = fromArray(environment) ?? fromIndexedJob(environment, count);
  const worker = shardOfWorker(environment);
  const found = job ?? worker;
  if (!found)
    throw new LuvitError(
      "bad-argument",
      "--shard auto: neither SLURM_ARRAY_TASK_ID with SLURM_ARRAY_TASK_COUNT, nor JOB_COMPLETION_INDEX, nor mpirun says " +
        "which part this process has; give it, --shard 1/8",
    );
  const shard = { index: found.index, count: count ?? found.count };
  if (!(shard.index >= 1 && shard.index <= shard.count))
    throw new LuvitError("bad-argument", `--shard auto: part ${shard.index} of ${shard.count} cannot be`);
  if (!job || !worker) return shard;
  return { index: (shard.index - 1) * worker.count + worker.index, count: shard.count * worker.count };
}

/** The part by the rank that mpirun or srun gave; undefined for one that works alone. */
export function shardOfWorker(environment: Environment = process.env): Part | undefined {
  const { rank, size } = placeIn(environment);
  if (size > 1) return { index: rank + 1, count: size };
  const [task, tasks] = [whole(environment.SLURM_PROCID), whole(environment.SLURM_STEP_NUM_TASKS)];
  if (!isStep(environment) || task === undefined || tasks === undefined || tasks < 2) return undefined;
  return { index: task + 1, count: tasks };
}

function fromArray(environment: Environment) {
  const id = whole(environment.SLURM_ARRAY_TASK_ID);
  const count = whole(environment.SLURM_ARRAY_TASK_COUNT);
  if (id === undefined || count === undefined) return undefined;
  const first = whole(environment.SLURM_ARRAY_TASK_MIN) ?? 0;
  const step = whole(environment.SLURM_ARRAY_TASK_STEP) ?? 1;
  return { index: (id - first) / step + 1, count };
}

function fromIndexedJob(environment: Environment, count: number | undefined) {
  const index = whole(environment.JOB_COMPLETION_INDEX);
  if (index === undefined) return undefined;
  if (count !== undefined) return { index: index + 1, count };
  throw new LuvitError(
    "bad-argument",
    "--shard auto: JOB_COMPLETION_INDEX does not say of how many; write --shard auto/8 for completions: 8",
  );
}

const whole = (text: string | undefined) =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
