import type { HostTensor } from "../core/hostTensor";

/**
 * Whose bicubic resize of positions.
 * - "mae": A = -0.75, no antialias, centers at (i + 0.5) n / rows: MAE, ViTDet.
 * - "dino": the same with centers at (i + 0.5) n / (rows + 0.1), as torch takes the factor that DINO gives it: DINO,
 *   ImageNet-S. Also an axis that keeps its length moves by a trifle where the other does not.
 * - "timm": A = -0.5, antialiased.
 *
 * Reference: mae/util/pos_embed.py interpolate_pos_embed; detectron2/modeling/backbone/utils.py get_abs_pos;
 * dino/vision_transformer.py interpolate_pos_encoding; timm layers/pos_embed.py resample_abs_pos_embed.
 */
export type PositionResize = "mae" | "timm" | "dino";

export const positionResizes: readonly PositionResize[] = ["mae", "timm", "dino"];

/** For each output position: (input position, weight) pairs. */
export type Taps = readonly (readonly (readonly [position: number, weight: number])[])[];

/** How `to` positions of one axis are made of `from`. Reference: aten UpSample.h, UpSampleKernel.cpp. */
export function positionTaps(from: number, to: number, resize: PositionResize): Taps {
  if (resize === "timm") return antialiasedTaps(from, to);
  return clampedTaps(from, to, resize === "dino" ? from / (to + 0.1) : from / to);
}

/** The same as a matrix [to, from]. */
export function positionWeights(from: number, to: number, resize: PositionResize): HostTensor {
  const data = new Float32Array(to * from);
  for (const [i, taps] of positionTaps(from, to, resize).entries()) {
    for (const [position, weight] of taps) data[i * from + position] += weight;
  }
  return { shape: [to, from], data };
}

function clampedTaps(from: number, to: number, step: number): Taps {
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * step - 0.5;
    const first = Math.floor(center) - 1;
    return [0, 1, 2, 3].map((k) => {
      const position = Math.min(from - 1, Math.max(0, first + k));
      return [position, cubicWeight(center - (first + k), -0.75)] as const;
    });
  });
}

function antialiasedTaps(from: number, to: number): Taps {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
    const end = Math.min(from, Math.floor(center + 2 * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (_, k) =>
      cubicWeight((first + k + 0.5 - center) / stretch, -0.5),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight, k) => [first + k, weight / sum] as const);
  });
}

/** Keys' cubic convolution kernel; `a` is its slope at distance 1. */
function cubicWeight(distance: number, a: number): number {
  const t = Math.abs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}
