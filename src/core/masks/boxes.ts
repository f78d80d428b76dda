import type { BoxXywh } from "./rle";

/**
 * Intersection over union of every detection with every truth, [detections, truths] in rows. With a crowd the union is
 * the detection alone. Double precision.
 */
export function boxIou(
  detections: readonly BoxXywh[],
  truths: readonly BoxXywh[],
  crowd: ArrayLike<number | boolean>,
): Float64Array {
  const ious = new Float64Array(detections.length * truths.length);
  truths.forEach(([gx, gy, gw, gh], truth) => {
    detections.forEach(([dx, dy, dw, dh], detection) => {
      const width = Math.min(dx + dw, gx + gw) - Math.max(dx, gx);
      if (!(width > 0)) return;
      const height = Math.min(dy + dh, gy + gh) - Math.max(dy, gy);
      if (!(height > 0)) return;
      const common = width * height;
      const union = crowd[truth] ? dw * dh : dw * dh + gw * gh - common;
      ious[detection * truths.length + truth] = common / union;
    });
  });
  return ious;
}
