import type { Rng } from "../../core/rng";
import { blend, type Color, dim, hsl, type Paint, smoothStep, valueNoise } from "./paint";

/** Draws one background of a family; all its numbers come from `rng`. */
export type BackgroundFamily = (rng: Rng) => Paint;

/** The family's usual hue, give or take 25 degrees; any hue one time in five. */
function hueNear(rng: Rng, center: number): number {
  return rng.uniform() < 0.2 ? rng.between(0, 360) : center + rng.between(-25, 25);
}

/** Rolling horizontal bands. */
function waves(rng: Rng): Paint {
  const hue = hueNear(rng, 200);
  const deep = hsl(hue, 0.5, rng.between(0.3, 0.45));
  const crest = hsl(hue - 15, 0.5, rng.between(0.55, 0.72));
  const [rows, swell, phase, height] = [
    rng.between(4, 8),
    rng.between(1, 2.5),
    rng.between(0, 6),
    rng.between(0.1, 0.3),
  ];
  return (x, y) => {
    const level = rows * y + rows * height * 0.5 * Math.sin(2 * Math.PI * swell * x + phase);
    return blend(deep, crest, smoothStep(0, 1, level - Math.floor(level)));
  };
}

/** Grass: soft patches with upright streaks. */
function meadow(rng: Rng): Paint {
  const hue = hueNear(rng, 105);
  const shade = hsl(hue, 0.42, rng.between(0.25, 0.38));
  const light = hsl(hue - 20, 0.48, rng.between(0.5, 0.62));
  const [patches, blades] = [valueNoise(rng), valueNoise(rng)];
  const [patchScale, bladeScale] = [rng.between(3, 5), rng.between(14, 22)];
  return (x, y) =>
    blend(shade, light, 0.5 * patches(patchScale * x, patchScale * y) + 0.5 * blades(bladeScale * x, 4 * y));
}

/** A gingham table cloth, turned a little. */
function checks(rng: Rng): Paint {
  const hue = hueNear(rng, 335);
  const dark = hsl(hue, 0.45, rng.between(0.5, 0.62));
  const light = hsl(hue, 0.35, rng.between(0.86, 0.93));
  const [count, angle] = [rng.between(5, 8), rng.between(-0.5, 0.5)];
  const [cos, sin] = [count * Math.cos(angle), count * Math.sin(angle)];
  const odd = (value: number) => Math.floor(value) & 1;
  return (x, y) => blend(light, dark, 0.5 * odd(cos * x + sin * y) + 0.5 * odd(cos * y - sin * x));
}

/** A dark sky with small lights. */
function night(rng: Rng): Paint {
  const hue = hueNear(rng, 245);
  const zenith = hsl(hue, 0.5, rng.between(0.1, 0.18));
  const horizon = hsl(hue + 25, 0.45, rng.between(0.28, 0.4));
  const lights = Array.from({ length: 26 }, () => [rng.uniform(), rng.uniform(), rng.between(0.006, 0.016)]);
  const glow: Color = [235, 235, 215];
  return (x, y) => {
    const isLight = lights.some(([cx, cy, radius]) => (x - cx) ** 2 + (y - cy) ** 2 < radius * radius);
    return isLight ? glow : blend(zenith, horizon, smoothStep(0.1, 1, y));
  };
}

/** Fallen leaves: overlapping round blobs in earth colors. */
function leaves(rng: Rng): Paint {
  const hue = hueNear(rng, 38);
  const ground = hsl(hue, 0.35, 0.26);
  const blobs = Array.from({ length: 34 }, () => ({
    x: rng.uniform(),
    y: rng.uniform(),
    radius: rng.between(0.05, 0.13),
    color: hsl(hue + rng.between(-16, 16), rng.between(0.3, 0.5), rng.between(0.3, 0.52)),
  }));
  return (x, y) => {
    let color = ground;
    for (const blob of blobs) {
      const distance = Math.hypot(x - blob.x, y - blob.y) / blob.radius;
      if (distance < 1) color = dim(blob.color, 1.05 - 0.25 * distance);
    }
    return color;
  };
}

/** Sunburst: two-colored rays from one point. */
function rays(rng: Rng): Paint {
  const hue = hueNear(rng, 275);
  const dark = hsl(hue, 0.35, rng.between(0.42, 0.52));
  const light = hsl(hue + 20, 0.4, rng.between(0.68, 0.78));
  const [cx, cy, phase] = [rng.between(0.2, 0.8), rng.between(0.2, 0.8), rng.between(0, 6)];
  const count = 7 + rng.integer(6);
  return (x, y) =>
    blend(dark, light, smoothStep(-0.15, 0.15, Math.sin(count * Math.atan2(y - cy, x - cx) + phase)));
}

/** What the families are called. */
export const backgroundNames: readonly string[] = ["waves", "meadow", "checks", "night", "leaves", "rays"];

/** The background families; family k is the usual one of class k. */
export const backgroundFamilies: readonly BackgroundFamily[] = [waves, meadow, checks, night, leaves, rays];
