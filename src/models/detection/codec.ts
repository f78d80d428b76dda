import { type Boxes, countOf } from "./boxes";

/** Weights of center x, center y, width and height. */
export type DeltaWeights = readonly [number, number, number, number];

/** A box never grows by more than this at once: log(1000 / 16). */
export const MOST_GROWTH = Math.log(1000 / 16);

/**
 * What moves `from` onto `to`: shifts of the center in sizes of `from`, logarithms of the ratios of sizes.
 * Reference: detectron2 modeling/box_regression.py Box2BoxTransform.get_deltas.
 */
export function encodeBoxes(from: Boxes, to: Boxes, weights: DeltaWeights): Float32Array {
  const deltas = new Float32Array(from.length);
  for (let at = 0; at < from.length; at += 4) {
    const [a, b] = [from, to].map((boxes) => {
      const width = Math.fround(boxes[at + 2] - boxes[at]);
      const height = Math.fround(boxes[at + 3] - boxes[at + 1]);
      return { width, height, x: boxes[at] + 0.5 * width, y: boxes[at + 1] + 0.5 * height };
    });
    deltas[at] = (weights[0] * (b.x - a.x)) / a.width;
    deltas[at + 1] = (weights[1] * (b.y - a.y)) / a.height;
    deltas[at + 2] = weights[2] * Math.log(b.width / a.width);
    deltas[at + 3] = weights[3] * Math.log(b.height / a.height);
  }
  return deltas;
}

/**
 * Boxes [n, k, 4] that deltas [n, k, 4] make of `from` [n, 4]. Sizes are limited from above alone, centers not at all.
 * Reference: detectron2 modeling/box_regression.py Box2BoxTransform.apply_deltas.
 */
export function decodeBoxes(
  from: Boxes,
  deltas: Float32Array,
  weights: DeltaWeights,
  most = MOST_GROWTH,
): Boxes {
  const decoded = new Float32Array(deltas.length);
  const perBox = deltas.length / countOf(from);
  for (let i = 0; i < countOf(from); i++) {
    const [x0, y0] = [from[4 * i], from[4 * i + 1]];
    const width = Math.fround(from[4 * i + 2] - x0);
    const height = Math.fround(from[4 * i + 3] - y0);
    for (let at = i * perBox; at < (i + 1) * perBox; at += 4) {
      const x = (deltas[at] / weights[0]) * width + x0 + 0.5 * width;
      const y = (deltas[at + 1] / weights[1]) * height + y0 + 0.5 * height;
      const halfWidth = 0.5 * width * Math.exp(Math.min(deltas[at + 2] / weights[2], most));
      const halfHeight = 0.5 * height * Math.exp(Math.min(deltas[at + 3] / weights[3], most));
      decoded[at] = x - halfWidth;
      decoded[at + 1] = y - halfHeight;
      decoded[at + 2] = x + halfWidth;
      decoded[at + 3] = y + halfHeight;
    }
  }
  return decoded;
}
