import { readFileSync } from "node:fs";
import { pairedDifference, verdictOfAll } from "../../src/analysis";
import { textTable } from "../../src/core/textTable";
import type { Result } from "./results";

/** What would have to be seen, written down before the first number was. */
export interface Claim {
  readonly claim: string;
  readonly metric: string;
  readonly sign: "higher" | "lower";
  /** Of a variant beside another, or beside a number. */
  readonly comparisons: readonly (readonly [variant: string, than: string | number])[];
}

export const readClaims = (file: string): Claim[] => JSON.parse(readFileSync(file, "utf8")) as Claim[];

/** A line for each comparison and the verdict on each claim. */
export function claimsText(results: readonly Result[], claims: readonly Claim[]): string {
  return claims
    .map(({ claim, metric, sign, comparisons }) => {
      const found = comparisons.map(([variant, than]) => {
        const values = bySeed(results, variant, metric);
        const others =
          typeof than === "number"
            ? new Map([...values.keys()].map((seed) => [seed, than]))
            : bySeed(results, than, metric);
        return { variant, than, difference: pairedDifference(values, others, sign) };
      });
      const verdict = verdictOfAll(found.map(({ difference }) => difference.verdict));
      const lines = found.map(({ variant, than, difference }) => [variant, `${than}`, String(difference)]);
      return `${claim}\n${verdict}\n${textTable([metric, "than", "difference, 99 %"], lines)}`;
    })
    .join("\n\n");
}

function bySeed(results: readonly Result[], variant: string, metric: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const one of results)
    if (one.variant === variant && one.metric === metric && one.layer === undefined)
      found.set(one.seed, one.value);
  return found;
}
