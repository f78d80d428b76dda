import type { Boxes } from "./boxes";
import { binWeights, type LevelMap } from "./roiWeights";

/** A map of one image, channels last. */
export interface HostMap extends LevelMap {
  /** [H, W, C]. */
  readonly data: Float32Array;
}

/** Weights of a row that are not 0. */
type Taps = { place: number; weight: number }[];

/** Rows of `binWeights` without their zeros. */
function tapsOf(from: number, to: number, bins: number, length: number): Taps[] {
  const rows = new Float32Array(bins * length);
  binWeights(from, to, bins, length, rows);
  return Array.from({ length: bins }, (_, bin) => {
    const taps: Taps = [];
    for (let place = 0; place < length; place++) {
      const weight = rows[bin * length + place];
      if (weight !== 0) taps.push({ place, weight });
    }
    return taps;
  });
}

/**
 * ROIAlign on the host, for boxes whose gradients nobody needs: what each sees on its level, [capacity, bins, bins, C].
 * The same weights as `roiWeights`, but only those that are not 0: a box of 20 x 20 pixels of a map of 256 x 256 takes a
 * hundredth of the products.
 */
export function poolBoxes(
  maps: readonly HostMap[],
  boxes: Boxes,
  levels: Int32Array,
  bins: number,
  capacity = levels.length,
): Float32Array {
  const channels = maps[0].data.length / (maps[0].height * maps[0].width);
  const size = bins * bins * channels;
  const pooled = new Float32Array(capacity * size);
  for (let i = 0; i < levels.length; i++) {
    const map = maps.find(({ level }) => level === levels[i])!;
    poolBox(map, boxes.subarray(4 * i, 4 * i + 4), bins, pooled.subarray(i * size, (i + 1) * size));
  }
  return pooled;
}

function poolBox(
  { data, stride, height, width }: HostMap,
  box: Boxes,
  bins: number,
  pooled: Float32Array,
): void {
  const channels = pooled.length / (bins * bins);
  const [x0, y0, x1, y1] = box.map((edge) => edge / stride);
  const [down, across] = [tapsOf(y0, y1, bins, height), tapsOf(x0, x1, bins, width)];
  const columns = across.flat().map(({ place }) => place);
  if (columns.length === 0) return;
  const first = Math.min(...columns);
  const strip = new Float32Array((Math.max(...columns) - first + 1) * channels);
  for (const [i, rows] of down.entries()) {
    strip.fill(0);
    for (const { place, weight } of rows) {
      const start = (place * width + first) * channels;
      for (let at = 0; at < strip.length; at++) strip[at] += weight * data[start + at];
    }
    for (const [j, taps] of across.entries()) {
      const out = (i * bins + j) * channels;
      for (const { place, weight } of taps) {
        const from = (place - first) * channels;
        for (let c = 0; c < channels; c++) pooled[out + c] += weight * strip[from + c];
      }
    }
  }
}
