import { LuvitError } from "../core/errors";
import { placeIn } from "./place";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The part of an evaluation that is this process's, from 1: of a SLURM array (SLURM_ARRAY_TASK_ID), of an indexed job of
 * Kubernetes (JOB_COMPLETION_INDEX, which does not say of how many: `count` does), else by the rank that mpirun gave.
 *
 * @throws LuvitError("bad-argument") where nothing says which part, or of how many.
 */
export function shardHere(
  count?: number,
  environment: Environment = process.env,
): { index: number; count: number } {
  const found = fromArray(environment) ?? fromIndexedJob(environment, count) ?? fromLauncher(environment);
  if (!found)
    throw new LuvitError(
      "bad-argument",
      "--shard auto: neither SLURM_ARRAY_TASK_ID with SLURM_ARRAY_TASK_COUNT, nor JOB_COMPLETION_INDEX, nor mpirun says " +
        "which part this process has; give it, --shard 1/8",
    );
  const shard = { index: found.index, count: count ?? found.count };
  if (shard.index >= 1 && shard.index <= shard.count) return shard;
  throw new LuvitError("bad-argument", `--shard auto: part ${shard.index} of ${shard.count} cannot be`);
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

function fromLauncher(environment: Environment) {
  const { rank, size } = placeIn(environment);
  return size > 1 ? { index: rank + 1, count: size } : undefined;
}

const whole = (text: string | undefined) =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
