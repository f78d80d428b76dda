import type { Rng } from "../../core/rng";

/** Red, green, blue in 0 … 255, not rounded. */
export type Color = readonly [number, number, number];

/** A color for every point of the image; x to the right and y down, both in 0 … 1. */
export type Paint = (x: number, y: number) => Color;

/** Color of a hue in degrees, saturation and lightness in 0 … 1 (the CSS `hsl()` formula). */
export function hsl(hue: number, saturation: number, lightness: number): Color {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number) => {
    const k = (((n + hue / 30) % 12) + 12) % 12;
    return 255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Linear mix: `a` at t = 0, `b` at t = 1. */
export function blend(a: Color, b: Color, t: number): Color {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

/** Multiplies all three channels. */
export function dim(color: Color, factor: number): Color {
  return [color[0] * factor, color[1] * factor, color[2] * factor];
}

/** 0 below `from`, 1 above `to`, a smooth cubic between. */
export function smoothStep(from: number, to: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

/** Smooth random field in 0 … 1 on the plane; one unit is one cell of its lattice. */
export function valueNoise(rng: Rng): (x: number, y: number) => number {
  const side = 16;
  const lattice = Float64Array.from({ length: side * side }, () => rng.uniform());
  const at = (column: number, row: number) => lattice[(row & (side - 1)) * side + (column & (side - 1))];
  return (x, y) => {
    const column = Math.floor(x);
    const row = Math.floor(y);
    const tx = smoothStep(0, 1, x - column);
    const ty = smoothStep(0, 1, y - row);
    const top = at(column, row) * (1 - tx) + at(column + 1, row) * tx;
    const bottom = at(column, row + 1) * (1 - tx) + at(column + 1, row + 1) * tx;
    return top * (1 - ty) + bottom * ty;
  };
}
