import type { Rng } from "../../core/rng";
import { backgroundFamilies } from "./backgrounds";
import { moreShapes } from "./moreShapes";
import { blend, type Color, dim, hsl, type Paint } from "./paint";
import { type ToyShape, textures, toyShapes } from "./shapes";

/** The shapes of `data/shapes` and those behind them; an object's label is its place here. */
export const allShapes: readonly ToyShape[] = [...toyShapes, ...moreShapes];

/** A foreground object placed in the image: which points it covers and how they are painted. */
export interface ToyObject {
  readonly label: number;
  /** A circle that it lies in. */
  readonly reach: { readonly x: number; readonly y: number; readonly radius: number };
  covers(x: number, y: number): boolean;
  readonly paint: Paint;
}

/** A drawn image: `rgb` [H, W, 3] bytes and `coverage` [H, W], the object's share of each pixel in 0 … 1. */
export interface ToyImage {
  readonly size: number;
  readonly rgb: Uint8Array;
  readonly coverage: Float32Array;
}

/** Share of training, validation and `original` images that stand on their class's own background family. */
export const ownBackgroundShare = 0.5;

/** Where an object may be: up to the right and lower border, and its share of a square of side 1. */
export interface Room {
  readonly right: number;
  readonly bottom: number;
  readonly area: readonly [least: number, most: number];
}

const wholeImage: Room = { right: 1, bottom: 1, area: [0.1, 0.32] };

/**
 * An object of a class with random place, size (about 10-32 % of the image), tilt, color and texture; with `hue`, in degrees,
 * of that color.
 */
export function drawObject(
  label: number,
  rng: Rng,
  { right, bottom, area }: Room = wholeImage,
  hue?: number,
): ToyObject {
  const shape = allShapes[label];
  const most = 0.47 * Math.min(right, bottom);
  const scale = Math.min(most, Math.sqrt(rng.between(...area) / areaOf(shape)));
  const [cx, cy] = [rng.between(scale, right - scale), rng.between(scale, bottom - scale)];
  const tilt = rng.between(-0.6, 0.6);
  const mirror = rng.uniform() < 0.5 ? -1 : 1;
  const [cos, sin] = [Math.cos(tilt) / scale, Math.sin(tilt) / scale];
  const toShape = (x: number, y: number): [number, number] => [
    mirror * (cos * (x - cx) + sin * (y - cy)),
    cos * (y - cy) - sin * (x - cx),
  ];
  const paintAt = paintOf(shape, rng, hue);
  return {
    label,
    reach: { x: cx, y: cy, radius: scale },
    covers: (x, y) => shape.contains(...toShape(x, y)),
    paint: (x, y) => paintAt(...toShape(x, y)),
  };
}

/** Colors, texture and a dark rim for one object, in the shape's own coordinates. */
function paintOf(shape: ToyShape, rng: Rng, wanted?: number): Paint {
  const drawn = () => (rng.uniform() < 0.75 ? shape.hue + rng.between(-22, 22) : rng.between(0, 360));
  const hue = wanted ?? drawn();
  const lightness = shape.lightness + rng.between(-0.07, 0.07);
  const main = hsl(hue, shape.saturation, lightness);
  const second = blend(main, hsl(hue + 40, 0.4, 0.93), 0.85);
  const texture = textures[rng.uniform() < 0.5 ? shape.texture : rng.integer(textures.length)];
  const rim: Color = dim(main, 0.62);
  return (u, v) => {
    if (!shape.contains(1.1 * u, 1.1 * v)) return rim;
    return shape.detail(u, v) ? second : dim(main, texture(u, v));
  };
}

const areas = new Map<string, number>();

/** Area of a shape in its own coordinates, counted on a grid. */
function areaOf(shape: ToyShape): number {
  const known = areas.get(shape.name);
  if (known !== undefined) return known;
  const steps = 100;
  let inside = 0;
  for (let i = 0; i < steps * steps; i++) {
    const [u, v] = [(2 * ((i % steps) + 0.5)) / steps - 1, (2 * (Math.floor(i / steps) + 0.5)) / steps - 1];
    if (shape.contains(u, v)) inside++;
  }
  const area = (4 * inside) / (steps * steps);
  areas.set(shape.name, area);
  return area;
}

/** The family of a class's background: its own with probability `share`, otherwise any. */
export function backgroundFamily(label: number, rng: Rng, share = ownBackgroundShare): number {
  const { length } = backgroundFamilies;
  return rng.uniform() < share ? label % length : rng.integer(length);
}

/** A background for a class, of a family as `backgroundFamily` draws it. */
export function drawBackground(label: number, rng: Rng): Paint {
  return backgroundFamilies[backgroundFamily(label, rng)](rng);
}

/** Rasterises object over background on `size` x `size` pixels, averaging 4 x 4 points per pixel. */
export function rasterise(object: ToyObject, background: Paint, size: number): ToyImage {
  const grid = 4;
  const rgb = new Uint8Array(size * size * 3);
  const coverage = new Float32Array(size * size);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const sum = [0, 0, 0];
    let covered = 0;
    for (let point = 0; point < grid * grid; point++) {
      const x = ((pixel % size) + ((point % grid) + 0.5) / grid) / size;
      const y = (Math.floor(pixel / size) + (Math.floor(point / grid) + 0.5) / grid) / size;
      const inside = object.covers(x, y);
      if (inside) covered++;
      const color = inside ? object.paint(x, y) : background(x, y);
      for (let c = 0; c < 3; c++) sum[c] += Math.min(255, Math.max(0, color[c]));
    }
    for (let c = 0; c < 3; c++) rgb[3 * pixel + c] = Math.round(sum[c] / (grid * grid));
    coverage[pixel] = covered / (grid * grid);
  }
  return { size, rgb, coverage };
}

/** Id stored for pixels that count neither as foreground nor as background, as in ImageNet-S. */
export const ignoreId = 1000;

/**
 * Segmentation ids [H, W] of an image: `label + 1` where the object covers at least half of the pixel, else 0. With
 * `ignoreBorder` the pixels on the outline (partly covered) get the ignore id.
 */
export function segmentationIds(image: ToyImage, label: number, ignoreBorder: boolean): Int32Array {
  return Int32Array.from(image.coverage, (share) => {
    if (ignoreBorder && share > 0 && share < 1) return ignoreId;
    return share >= 0.5 ? label + 1 : 0;
  });
}
