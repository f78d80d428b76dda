import { inspect } from "node:util";
import { checkOptions, instance, list, oneOf } from "../core/options";
import { type SeedStatistics, seedStatistics } from "./statistics";

/** What an interval says of a claim that was written down before: its whole has the sign claimed, or the other, or it holds 0. */
export type Verdict = "supported" | "not seen" | "against";

const verdicts = ["supported", "not seen", "against"] as const;
const valuesBySeed = instance<ReadonlyMap<number, number>>(Map, "a Map of values by seed");
const sign = oneOf(["higher", "lower"]);

/** What one variant has more than another, seed by seed. Prints as one line. */
export class PairedDifference {
  constructor(
    /** Of the differences; absent where fewer than two seeds pair. */
    readonly statistics: SeedStatistics | undefined,
    readonly verdict: Verdict,
  ) {
    checkOptions("PairedDifference", oneOf(verdicts), verdict);
  }

  toString(): string {
    if (!this.statistics) return `${this.verdict}: fewer than two seeds pair`;
    const { mean, halfWidth, n } = this.statistics;
    return `${mean > 0 ? "+" : ""}${mean.toFixed(2)} ± ${halfWidth.toFixed(2)} over ${n} seeds: ${this.verdict}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * `values` minus `others`, seed by seed, with the 99 % interval of the mean by Student's t, and what it says of the claim that
 * the difference is `claimed`: "supported" where the whole interval has that sign, "against" where it has the other, "not
 * seen" where it holds 0 or fewer than two seeds pair. Seeds that only one of the two has are left out.
 *
 * @throws LuvitError("bad-argument") for values that are no Maps of numbers by seed, or another sign.
 *
 * @example
 * const luvits = new Map([[0, 81.2], [1, 80.4], [2, 82.0]]);
 * const vits = new Map([[0, 80.1], [1, 79.2], [2, 80.7]]);
 * console.log(String(luvit.analysis.pairedDifference(luvits, vits, "higher")));
 */
export function pairedDifference(
  values: ReadonlyMap<number, number>,
  others: ReadonlyMap<number, number>,
  claimed: "higher" | "lower",
): PairedDifference {
  checkOptions("pairedDifference", valuesBySeed, values);
  checkOptions("pairedDifference", valuesBySeed, others);
  checkOptions("pairedDifference", sign, claimed);
  const pairs = [...values].flatMap(([seed, value]) => (others.has(seed) ? [value - others.get(seed)!] : []));
  if (pairs.length < 2) return new PairedDifference(undefined, "not seen");
  const statistics = seedStatistics(pairs);
  const [low, high] = statistics.interval;
  const seen = low > 0 ? "higher" : high < 0 ? "lower" : undefined;
  const verdict = seen === undefined ? "not seen" : seen === claimed ? "supported" : "against";
  return new PairedDifference(statistics, verdict);
}

/**
 * Of a claim that is made of several: "supported" where each of them is, "against" where one of them is, else "not seen".
 *
 * @throws LuvitError("bad-argument") for other words.
 */
export function verdictOfAll(found: readonly Verdict[]): Verdict {
  checkOptions("verdictOfAll", list(oneOf(verdicts), 1), found);
  if (found.includes("against")) return "against";
  return found.every((one) => one === "supported") ? "supported" : "not seen";
}
