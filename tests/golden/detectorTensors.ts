import type { Permute } from "../../src/models/detection/sampling";
import { type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";
import type { GoldenTensors } from "./support";

export const exactly = (
  name: string,
  actual: ArrayLike<number>,
  expected: GoldenTensor | undefined,
): Check => ({
  name,
  error: maxAbsError(actual, expected?.data ?? [Number.NaN]),
  tolerance: 0,
});

/** Permutations that a case file recorded: first that of objects, then that of background. */
export function recordedPermutations(tensors: GoldenTensors, image: number): Permute {
  const lists = ["pos", "neg"].flatMap((kind) => tensors.get(`perm_${kind}_${image}`) ?? []);
  return (_length, count) => lists.shift()!.data.slice(0, count);
}

const tensorOf = (data: ArrayLike<number>, shape: readonly number[]): GoldenTensor => ({
  shape: [...shape],
  dtype: data instanceof Int32Array ? "I32" : "F32",
  data: data as Float32Array,
});

export const fedOf = (feeds: Record<string, { shape: readonly number[]; data: ArrayLike<number> }>) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { shape, data }]) => [name, tensorOf(data, shape)]));

export const rowsOf = (image: number, { shape, data }: GoldenTensor): Float32Array => {
  const size = data.length / shape[0];
  return data.slice(image * size, (image + 1) * size) as Float32Array;
};
