import { LuvitError, listOffenders } from "../core/errors";
import type { ImageDataset } from "../data/dataset";
import { ALONE, type Place, possibleSizes } from "../distributed/place";
import type { Workers } from "../engine";
import type { RunPlan } from "./plan";

/** Those who do a piece of work together: each takes every `size`-th part of it, from `rank` on. */
export interface Sharing extends Place {
  /** What each has, plain data, by rank. All of them must ask. */
  gather<T>(own: T): Promise<T[]>;
}

/** One who does it alone. */
export const unshared: Sharing = { ...ALONE, gather: async (own) => [own] };

/** What the workers of a job do together or not at all. */
export class Agreement implements Sharing {
  readonly rank: number;
  readonly size: number;

  constructor(private readonly workers: Workers | undefined) {
    const { rank, size } = workers ?? ALONE;
    this.rank = rank;
    this.size = size;
  }

  /** Whether any worker says so. All of them must ask. */
  async any(wanted: boolean): Promise<boolean> {
    if (!this.workers) return wanted;
    const [count] = await this.workers.sum([wanted ? 1 : 0]);
    return count > 0;
  }

  gather<T>(own: T): Promise<T[]> {
    return (this.workers ?? unshared).gather(own);
  }

  /** What any worker could not read of a set, each knows afterwards. */
  async shareReports(sets: readonly ImageDataset[]): Promise<void> {
    if (!this.workers) return;
    const all = await this.gather(sets.map(({ report }) => report.skipped));
    for (const ofWorker of all)
      for (const [i, skipped] of ofWorker.entries())
        for (const { path, reason } of skipped) sets[i].report.add(path, reason);
  }

  /**
   * What decides a run, by name, has to be the same for all workers.
   *
   * @throws LuvitError("bad-argument") naming everything in which one differs from the first.
   */
  async expectAlike(own: Readonly<Record<string, unknown>>): Promise<void> {
    if (!this.workers) return;
    const [first, ...others] = await this.gather(textsOf(own));
    const problems = others.flatMap((other, i) => differencesOf(first, other, i + 2));
    if (problems.length === 0) return;
    throw new LuvitError(
      "bad-argument",
      `the workers were not started alike; nothing was trained\n${listOffenders(problems)}\n` +
        "Start all with the same version, configuration and data.",
    );
  }
}

const textsOf = (facts: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, JSON.stringify(value) ?? "none"]));

function differencesOf(
  first: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
  number: number,
): string[] {
  const names = [...new Set([...Object.keys(first), ...Object.keys(other)])];
  return names.flatMap((name) => {
    const [wanted = "none", given = "none"] = [first[name], other[name]];
    return wanted === given ? [] : [`${name}: ${given} at worker ${number}, ${wanted} at the first`];
  });
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
