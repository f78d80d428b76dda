import { LuvitError, listOffenders } from "../../core/errors";
import { allFinite } from "../../core/finite";
import { checkOptions, shaped } from "../../core/options";
import type { Features } from "../features";

/** What probes and neighbors take of features. */
export type ProbeFeatures = Pick<Features, "values" | "dim" | "labels">;

export const probeFeatures = shaped<ProbeFeatures>(
  "features { values, dim, labels }, from analysis.extractFeatures",
  "values",
  "dim",
  "labels",
);

/** More classes than any set has; votes and weights are kept for each. */
const MOST_CLASSES = 1_000_000;

/**
 * Features as the computations take them, plain lists turned into arrays.
 *
 * @throws LuvitError("bad-argument") with everything about them that cannot be; ("non-finite") for numbers that are none.
 */
export function settledFeatures(where: string, which: string, features: ProbeFeatures): ProbeFeatures {
  checkOptions(where, probeFeatures, features);
  const { values, dim, labels } = features;
  const problems: string[] = [];
  if (!Number.isInteger(dim) || dim < 1)
    problems.push(`dim is ${String(dim)}, expected a whole number from 1`);
  if (!isRow(values)) problems.push("values: expected a Float32Array");
  if (!isRow(labels)) problems.push("labels: expected an Int32Array");
  if (problems.length === 0) {
    if (values.length !== dim * labels.length)
      problems.push(`${values.length} numbers for ${labels.length} rows of ${dim}`);
    const wrong = Array.prototype.find.call(labels, (label: number) => !isLabel(label));
    if (wrong !== undefined) problems.push(`label ${String(wrong)}, expected whole numbers from 0`);
  }
  if (problems.length > 0)
    throw new LuvitError("bad-argument", `${where}: ${which} features:\n${listOffenders(problems)}`);
  const settled = { values: Float32Array.from(values), dim, labels: Int32Array.from(labels) };
  if (allFinite(settled.values)) return settled;
  throw new LuvitError("non-finite", `${where}: ${which} features hold NaN or infinities`);
}

function isRow(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}

function isLabel(label: unknown): boolean {
  return Number.isInteger(label) && (label as number) >= 0 && (label as number) < MOST_CLASSES;
}
