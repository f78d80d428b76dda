/** What a run over several workers is made of; times in seconds, as measured on one of their machines. */
export interface WorkParts {
  readonly workers: number;
  /** Batches of a step. */
  readonly accumulate: number;
  readonly totalSteps: number;
  /** Trained numbers, whose gradients are summed. */
  readonly trained: number;
  /** Bytes that one gradient is sent in: 4, or 2 in bfloat16. */
  readonly bytesPerNumber: number;
  /** Forward and backward pass of one batch. */
  readonly batchSeconds: number;
  /** What a step takes beside its batches: AdamW. */
  readonly updateSeconds: number;
  /** Bytes per second that a worker sends, and receives, over the network. */
  readonly networkRate: number;
}

/** What a step and the run are expected to take. */
export interface WorkPlan {
  /** Of a step, each worker's own batches. */
  readonly batches: number;
  /** Bytes that a worker sends, and receives, for a step. */
  readonly bytes: number;
  /** Seconds of a step in its batches, in AdamW, in the sum over the workers. */
  readonly step: { readonly batches: number; readonly update: number; readonly sum: number };
  /** Of a step. */
  readonly seconds: number;
  /** Of the run. */
  readonly total: number;
  /** How much faster than one worker, by the number of workers: 1 would be all of it. */
  readonly efficiency: number;
  /** The largest part of a step. */
  readonly limit: "batches" | "update" | "sum";
}

/**
 * accumulate / W batches, AdamW, and a sum in which each worker sends and receives 2 (W - 1) / W times the gradients, as
 * the best of MPI's ways do, one after the other.
 * Reference: Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective Communication Operations in MPICH".
 */
export function planWork(parts: WorkParts): WorkPlan {
  const { workers, accumulate, totalSteps, batchSeconds, updateSeconds } = parts;
  const bytes = (parts.trained * parts.bytesPerNumber * 2 * (workers - 1)) / workers;
  const batches = accumulate / workers;
  const step = { batches: batches * batchSeconds, update: updateSeconds, sum: bytes / parts.networkRate };
  const seconds = step.batches + step.update + step.sum;
  const alone = accumulate * batchSeconds + updateSeconds;
  const [[limit]] = Object.entries(step).sort(([, a], [, b]) => b - a);
  return {
    ...{ batches, bytes, step, seconds, total: totalSteps * seconds },
    efficiency: alone / seconds / workers,
    limit: limit as WorkPlan["limit"],
  };
}

/**
 * Seconds of a batch and of what a step takes beside it, from steps of one batch and of two. What noise makes impossible is
 * brought back: no part is below 0.
 */
export function partsOfSteps(one: number, two: number): { batchSeconds: number; updateSeconds: number } {
  const batchSeconds = Math.min(Math.max(two - one, one / 2), one);
  return { batchSeconds, updateSeconds: one - batchSeconds };
}
