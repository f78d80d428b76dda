import { type Boxes, boxAreas, countOf } from "./boxes";

export interface LevelSettings {
  /** A box of this side (pixels, root of its area) … */
  canonicalSize: number;
  /** … belongs to this level, one of half of it to the one below. */
  canonicalLevel: number;
  lowest: number;
  highest: number;
}

/**
 * The level of the pyramid that each box is looked at on.
 * Reference: detectron2 modeling/poolers.py assign_boxes_to_levels.
 */
export function levelsOf(boxes: Boxes, settings: LevelSettings): Int32Array {
  const { canonicalSize, canonicalLevel, lowest, highest } = settings;
  return Int32Array.from(boxAreas(boxes), (area) => {
    const size = Math.fround(Math.fround(Math.fround(Math.sqrt(area)) / canonicalSize) + 1e-8);
    const level = Math.floor(Math.fround(canonicalLevel + Math.fround(Math.log2(size))));
    return Math.min(Math.max(level, lowest), highest);
  });
}

/**
 * ROIAlign of one axis: rows of `bins` x `length` that a map is multiplied with, from a box's `from` and `to` in pixels
 * of the map. Every row is the mean of the bilinear weights of its bin's samples; those out of [-1, length] count as
 * zeros. The average over a bin is separable, so the rows of both axes are all that ROIAlign is:
 * out = rowsY · map · rowsXᵀ.
 * Reference: torchvision csrc/ops/cpu/roi_align_kernel.cpp with aligned = true, sampling_ratio = 0.
 */
export function binWeights(from: number, to: number, bins: number, length: number, rows: Float32Array): void {
  const start = Math.fround(Math.fround(from) - 0.5);
  const size = Math.fround(Math.fround(Math.fround(to) - 0.5) - start);
  const bin = Math.fround(size / bins);
  const samples = Math.ceil(bin);
  for (let i = 0; i < bins; i++) {
    const row = rows.subarray(i * length, (i + 1) * length);
    row.fill(0);
    for (let k = 0; k < samples; k++) {
      const place = Math.fround(start + i * bin + ((k + 0.5) * bin) / samples);
      if (place < -1 || place > length) continue;
      const clamped = Math.max(place, 0);
      const low = Math.min(Math.floor(clamped), length - 1);
      const share = low >= length - 1 ? 0 : clamped - low;
      row[low] += (1 - share) / samples;
      if (share > 0) row[low + 1] += share / samples;
    }
  }
}

/** Rows of weights of all boxes for one level's map: of the others zeros. */
export interface LevelWeights {
  /** [R, bins, H]. */
  readonly y: Float32Array;
  /** [R, bins, W]. */
  readonly x: Float32Array;
}

/** A map that boxes are looked at on. */
export interface LevelMap {
  level: number;
  stride: number;
  height: number;
  width: number;
}

/** The weights of boxes on every map; rows behind the last box, up to `capacity`, are zeros. */
export function roiWeights(
  boxes: Boxes,
  levels: Int32Array,
  maps: readonly LevelMap[],
  bins: number,
  capacity = countOf(boxes),
): LevelWeights[] {
  return maps.map(({ level, stride, height, width }) => {
    const y = new Float32Array(capacity * bins * height);
    const x = new Float32Array(capacity * bins * width);
    for (let i = 0; i < countOf(boxes); i++) {
      if (levels[i] !== level) continue;
      const [x0, y0, x1, y1] = boxes.subarray(4 * i, 4 * i + 4).map((edge) => edge / stride);
      binWeights(y0, y1, bins, height, y.subarray(i * bins * height, (i + 1) * bins * height));
      binWeights(x0, x1, bins, width, x.subarray(i * bins * width, (i + 1) * bins * width));
    }
    return { y, x };
  });
}
