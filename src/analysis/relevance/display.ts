import { resizePlanes } from "../../core/resample";

/** Rows × columns of a map. */
export interface MapSize {
  readonly rows: number;
  readonly columns: number;
}

/** Bilinear enlargement of a map, centers on centers, the border repeated. */
export function enlarge(map: ArrayLike<number>, from: MapSize, to: MapSize): Float32Array {
  return resizePlanes(map, from.rows, from.columns, to.rows, to.columns);
}

/** Smallest 0, largest 1; all 0 where every value is the same. */
export function minMax(values: ArrayLike<number>): Float32Array {
  const { low, high } = range(values);
  const width = high - low;
  return Float32Array.from(values, (x) => (width === 0 ? 0 : (x - low) / width));
}

/** The smallest value taken away, then divided by 1e-7 + the largest. Reference: pytorch-grad-cam scale_cam_image. */
export function scaleCam(values: ArrayLike<number>): Float32Array {
  const { low, high } = range(values);
  return Float32Array.from(values, (x) => (x - low) / (1e-7 + (high - low)));
}

/** Raw Grad-CAM maps, one per target layer -> pixels: relu, scaled and enlarged each, averaged, scaled once more. */
export function camPixels(raw: readonly ArrayLike<number>[], from: MapSize, to: MapSize): Float32Array {
  const sum = new Float32Array(to.rows * to.columns);
  for (const map of raw) {
    const scaled = scaleCam(Float32Array.from(map, (x) => Math.max(0, x)));
    for (const [i, x] of enlarge(scaled, from, to).entries()) sum[i] += x / raw.length;
  }
  return scaleCam(sum);
}

function range(values: ArrayLike<number>): { low: number; high: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return { low, high };
}
