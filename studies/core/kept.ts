import { existsSync } from "node:fs";
import { LuvitError } from "../../src/core/errors";
import { readTable } from "../../src/io/tables";
import { nameOf, type Result, resultsOf } from "./results";
import type { Done } from "./run";
import type { Study } from "./study";

/** The results that a table of a study holds; none where there is no such file. */
export async function readResults(file: string): Promise<Result[]> {
  if (!existsSync(file)) return [];
  return (await readTable(file)).toArray().map((row) => {
    const { layer, seconds, ...rest } = row.toJSON();
    return { ...rest, ...(layer !== null && { layer }), ...(seconds !== null && { seconds }) };
  });
}

/**
 * What is kept with newer results in the place of theirs, and behind it those that are new.
 *
 * @throws LuvitError("bad-argument") for results of other numbers of epochs.
 */
export function joinedResults(kept: readonly Result[], newer: readonly Result[]): Result[] {
  const epochs = new Set([...kept, ...newer].map((one) => one.epochs));
  if (epochs.size > 1)
    throw new LuvitError(
      "bad-argument",
      `results of ${[...epochs].join(" and ")} epochs do not go into one table; run with --epochs ${kept[0].epochs}`,
    );
  return [...new Map([...kept, ...newer].map((one) => [nameOf(one), one])).values()];
}

/** What is kept once these trials are: they alone where they are all that the study has by itself, else among the others. */
export function keptAfter(
  study: Study,
  done: readonly Done[],
  kept: readonly Result[],
): { results: Result[]; isWhole: boolean } {
  const names = new Set(done.map(({ trial }) => trial));
  const isWhole = study.trials(study.size).every(({ name }) => names.has(name));
  const results = resultsOf(done);
  return { results: isWhole ? results : joinedResults(kept, results), isWhole };
}
