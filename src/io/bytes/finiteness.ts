import type { HostTensor } from "../../core/hostTensor";
import { StoredTensor } from "./storedTensor";

/** "2 NaN and 1 infinite of 1024 values", or undefined when all numbers are finite. */
export function describeNonFinite(tensor: HostTensor): string | undefined {
  const stored = tensor instanceof StoredTensor ? tensor.isFinite : undefined;
  if (stored ?? isFiniteSum(tensor.data)) return undefined;
  let nan = 0;
  let infinite = 0;
  for (const value of tensor.data) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  if (nan + infinite === 0) return undefined;
  return `${nan} NaN and ${infinite} infinite of ${tensor.data.length} values`;
}

/** x * 0 is 0 for finite x and NaN otherwise, so one sum tells; float64 cannot overflow here. */
function isFiniteSum(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * 0;
  return sum === 0;
}
