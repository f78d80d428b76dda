import { LuvitError } from "../core/errors";
import { type Place, possibleSizes } from "../distributed/place";
import type { Workers } from "../engine";
import type { RunPlan } from "./plan";

/** What the workers of a job do together or not at all. */
export class Agreement {
  constructor(private readonly workers: Workers | undefined) {}

  /** Whether this worker is the one that writes, and evaluates. */
  get isFirst(): boolean {
    return (this.workers?.rank ?? 0) === 0;
  }

  /** Whether any worker says so. All of them must ask. */
  async any(wanted: boolean): Promise<boolean> {
    if (!this.workers) return wanted;
    const [count] = await this.workers.sum([wanted ? 1 : 0]);
    return count > 0;
  }
}

/**
 * A step is the same however many workers share it: each takes as many of its batches.
 *
 * @throws LuvitError("bad-argument") where they cannot be shared out evenly, naming the numbers of workers that can.
 */
export function expectShares({ accumulate, batchSize }: RunPlan, { size }: Place): void {
  if (accumulate % size === 0) return;
  const images = accumulate * batchSize;
  const same = `; accumulate: ${size} with batchSize: ${images / size} has as many images in a step`;
  throw new LuvitError(
    "bad-argument",
    `a step of ${accumulate} batches (accumulate) cannot be shared out evenly among ${size} workers; ` +
      `${possibleSizes(accumulate).join(", ")} can${images % size === 0 ? same : ""}`,
  );
}
