import type { SumPrecision, WorkerGroup } from "./group";

/** Arrays below half of this are sent together: 16 MB. */
const BUCKET = 2 ** 22;

/**
 * Sums gradients in place over the workers: large ones whole, small ones packed. First one number says whether every
 * worker's are good; where one's are not, nothing more is sent and all are told so.
 */
export async function sumGradients(
  group: WorkerGroup,
  gradients: readonly Float32Array[],
  good: boolean,
  precision: SumPrecision = "float32",
): Promise<boolean> {
  if (!(await allGood(group, good))) return false;
  let waiting: { array: Float32Array; at: number }[] = [];
  let used = 0;
  const bucket = new Float32Array(Math.min(BUCKET, packedSize(gradients)));
  const flush = async () => {
    await group.sum(bucket.subarray(0, used), precision);
    for (const { array, at } of waiting) array.set(bucket.subarray(at, at + array.length));
    [waiting, used] = [[], 0];
  };
  for (const array of gradients) {
    if (isLarge(array)) {
      await group.sum(array, precision);
      continue;
    }
    if (used + array.length > bucket.length) await flush();
    bucket.set(array, used);
    waiting.push({ array, at: used });
    used += array.length;
  }
  if (used > 0) await flush();
  return true;
}

/** Whether all workers say so. */
export async function allGood(group: WorkerGroup, good: boolean): Promise<boolean> {
  const bad = Float64Array.of(good ? 0 : 1);
  await group.sum(bad);
  return bad[0] === 0;
}

const isLarge = (array: Float32Array) => array.length > BUCKET / 2;

const packedSize = (arrays: readonly Float32Array[]) =>
  arrays.reduce((sum, array) => sum + (isLarge(array) ? 0 : array.length), 0);
