import { allFinite } from "../../core/finite";
import type { HostTensor } from "../../core/hostTensor";
import { StoredTensor } from "./storedTensor";

/** "2 NaN and 1 infinite of 1024 values", or undefined when all numbers are finite. */
export function describeNonFinite(tensor: HostTensor): string | undefined {
  const stored = tensor instanceof StoredTensor ? tensor.isFinite : undefined;
  if (stored ?? allFinite(tensor.peek?.() ?? tensor.data)) return undefined;
  let nan = 0;
  let infinite = 0;
  for (const value of tensor.data) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  if (nan + infinite === 0) return undefined;
  return `${nan} NaN and ${infinite} infinite of ${tensor.data.length} values`;
}
