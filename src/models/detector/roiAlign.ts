import { type Tensor, tf } from "../../core/tf";

/** Numbers of an intermediate result: 64 MB. */
const MOST_NUMBERS = 2 ** 24;

/** Rows of ROIAlign for one level's map: y [R, P, H], x [R, P, W]; zeros for boxes of other levels. */
export interface RoiRows {
  y: Tensor;
  x: Tensor;
}

/**
 * What boxes of one image see: out = Σ over levels of y · map · xᵀ, maps [1, H, W, C] -> [R, P, P, C]. The rows are made
 * on the host (`roiWeights`); the first product is of all boxes at once, a part of them at a time so that memory is bounded.
 */
export function roiAlign(maps: readonly Tensor[], rows: readonly RoiRows[]): Tensor {
  return tf.addN(maps.map((map, level) => alignLevel(map, rows[level])));
}

function alignLevel(map: Tensor, { y, x }: RoiRows): Tensor {
  const [, height, width, channels] = map.shape as [number, number, number, number];
  const [count, bins] = y.shape as [number, number, number];
  const matrix = tf.reshape(map, [height, width * channels]);
  const perPart = Math.max(1, Math.floor(MOST_NUMBERS / (bins * width * channels)));
  const parts: Tensor[] = [];
  for (let start = 0; start < count; start += perPart) {
    const size = Math.min(perPart, count - start);
    const [down, across] = [y, x].map((all) => tf.slice(all, [start, 0, 0], [size, ...all.shape.slice(1)]));
    const strips = tf.matMul(tf.reshape(down, [size * bins, height]) as tf.Tensor2D, matrix as tf.Tensor2D);
    const perBox = tf.reshape(strips, [size, bins, width, channels]);
    parts.push(tf.matMul(tf.reshape(across, [size, 1, bins, width]), perBox));
  }
  return parts.length === 1 ? parts[0] : tf.concat(parts, 0);
}
