import type { ToyShape } from "./shapes";

const arrow: ToyShape = {
  name: "arrow",
  hue: 205,
  saturation: 0.6,
  lightness: 0.5,
  texture: 1,
  contains(u, v) {
    const shaft = Math.abs(v) < 0.2 && u > -0.92 && u < 0.2;
    return shaft || (u > 0.08 && u < 0.95 && Math.abs(v) < 0.86 * (0.95 - u));
  },
  detail: (u, v) => u < -0.66 && Math.abs(v) < 0.2,
};

const boat: ToyShape = {
  name: "boat",
  hue: 28,
  saturation: 0.55,
  lightness: 0.48,
  texture: 2,
  contains(u, v) {
    const hull = v > 0.28 && v < 0.74 && Math.abs(u) < 0.92 - 0.62 * (v - 0.28);
    return hull || sail(u, v) || (Math.abs(u + 0.06) < 0.06 && v > -0.9 && v < 0.3);
  },
  detail: sail,
};

function sail(u: number, v: number): boolean {
  if (v < -0.88 || v > 0.18) return false;
  const reach = (v + 0.88) / 1.06;
  return u > 0 ? u < 0.72 * reach : u < -0.12 && -u < 0.12 + 0.5 * reach;
}

const cross: ToyShape = {
  name: "cross",
  hue: 130,
  saturation: 0.5,
  lightness: 0.44,
  texture: 0,
  contains: (u, v) => Math.min(Math.abs(u), Math.abs(v)) < 0.28 && Math.max(Math.abs(u), Math.abs(v)) < 0.94,
  detail: (u, v) => Math.hypot(u, v) < 0.18,
};

const drop: ToyShape = {
  name: "drop",
  hue: 190,
  saturation: 0.7,
  lightness: 0.6,
  texture: 3,
  contains: (u, v) =>
    Math.hypot(u, v - 0.34) < 0.6 || (v > -0.96 && v < 0.2 && Math.abs(u) < 0.5 * (v + 0.96)),
  detail: (u, v) => Math.hypot(u + 0.2, v - 0.3) < 0.14,
};

const house: ToyShape = {
  name: "house",
  hue: 10,
  saturation: 0.5,
  lightness: 0.56,
  texture: 2,
  contains(u, v) {
    const walls = Math.abs(u) < 0.58 && v >= -0.1 && v < 0.76;
    return walls || (v > -0.86 && v < -0.06 && Math.abs(u) < 1.08 * (v + 0.86));
  },
  detail: (u, v) => Math.abs(u) < 0.16 && v > 0.26 && v < 0.76,
};

const tree: ToyShape = {
  name: "tree",
  hue: 95,
  saturation: 0.55,
  lightness: 0.4,
  texture: 1,
  contains(u, v) {
    const upper = v > -0.96 && v < -0.1 && Math.abs(u) < 0.58 * (v + 0.96);
    const lower = v > -0.4 && v < 0.48 && Math.abs(u) < 0.1 + 0.8 * (v + 0.4);
    return upper || lower || trunk(u, v);
  },
  detail: trunk,
};

function trunk(u: number, v: number): boolean {
  return Math.abs(u) < 0.15 && v >= 0.48 && v < 0.94;
}

/** Shapes that `data/shapes` does not have: `drawings` takes them behind its own. */
export const moreShapes: readonly ToyShape[] = [arrow, boat, cross, drop, house, tree];
