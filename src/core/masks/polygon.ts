import { LuvitError } from "../errors";
import { mergeMasks } from "./combine";
import type { BoxXywh, Rle } from "./rle";

/** Corners of a closed line: x1, y1, x2, y2, … in pixels. */
export type Polygon = ArrayLike<number>;

/** The outline is walked in steps of a fifth of a pixel. */
const SCALE = 5;
/** Of one outline, in pixels; what is longer is no outline of an image. */
const LONGEST = 2 ** 22;

/**
 * The pixels inside a polygon, by even and odd crossings. Parts outside the image are cut off.
 *
 * Reference: cocodataset/cocoapi common/maskApi.c, whose rounding this is.
 *
 * @throws LuvitError("bad-argument") for numbers that are not finite, and for corners too far apart to be walked.
 */
export function rasterizePolygon(polygon: Polygon, height: number, width: number): Rle {
  const crossings: number[] = [];
  walk(scaledCorners(polygon), (x, y) => {
    const column = (x + 0.5) / SCALE - 0.5;
    if (Math.floor(column) !== column || column < 0 || column > width - 1) return;
    const row = Math.ceil(Math.min(height, Math.max(0, (y + 0.5) / SCALE - 0.5)));
    crossings.push(column * height + row);
  });
  return { height, width, counts: runsBetween(crossings, height * width) };
}

/** Whole fifths of pixels; halves are rounded up, below zero towards it. */
function scaledCorners(polygon: Polygon): { x: number; y: number }[] {
  expectDrawable(polygon);
  return Array.from({ length: Math.floor(polygon.length / 2) }, (_, i) => ({
    x: Math.trunc(SCALE * polygon[2 * i] + 0.5),
    y: Math.trunc(SCALE * polygon[2 * i + 1] + 0.5),
  }));
}

/** @throws LuvitError("bad-argument") for numbers that are not finite, and for an outline too long to be walked. */
export function expectDrawable(polygon: Polygon, where = "polygon"): void {
  let length = 0;
  for (let i = 0; i + 1 < polygon.length; i += 2) {
    const next = (i + 2) % (polygon.length & ~1);
    const [wide, high] = [polygon[i] - polygon[next], polygon[i + 1] - polygon[next + 1]];
    length += Math.max(Math.abs(wide), Math.abs(high)) + 1 / SCALE;
  }
  if (length <= LONGEST) return;
  const found = Number.isFinite(length)
    ? `an outline of ${Math.round(length)} pixels`
    : "a corner at infinity";
  throw new LuvitError("bad-argument", `${where}: ${found} cannot be drawn`);
}

/** Calls `cross` wherever the outline goes from one column of fifths to the next, with the left one and the upper row. */
function walk(corners: readonly { x: number; y: number }[], cross: (x: number, y: number) => void): void {
  let [lastX, lastY] = corners.length > 0 ? [corners[0].x, corners[0].y] : [0, 0];
  const step = (x: number, y: number) => {
    if (x !== lastX) cross(x < lastX ? x : x - 1, Math.min(y, lastY));
    lastX = x;
    lastY = y;
  };
  for (const [i, from] of corners.entries()) edge(from, corners[(i + 1) % corners.length], step);
}

/** Points of an edge, one in each column or row, whichever are more; drawn from its left or upper end. */
function edge(
  from: { x: number; y: number },
  to: { x: number; y: number },
  step: (x: number, y: number) => void,
): void {
  const [wide, high] = [Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
  const isWide = wide >= high;
  const backwards = isWide ? from.x > to.x : from.y > to.y;
  const [start, end] = backwards ? [to, from] : [from, to];
  const length = isWide ? wide : high;
  const slope = length === 0 ? 0 : isWide ? (end.y - start.y) / wide : (end.x - start.x) / high;
  for (let i = 0; i <= length; i++) {
    const at = backwards ? length - i : i;
    if (isWide) step(start.x + at, Math.trunc(start.y + slope * at + 0.5));
    else step(Math.trunc(start.x + slope * at + 0.5), start.y + at);
  }
}

/** Runs whose borders are the places where the outline is crossed; crossings at one place take each other away. */
function runsBetween(crossings: readonly number[], pixels: number): Uint32Array {
  const borders = Float64Array.from([...crossings, pixels]).sort();
  const counts: number[] = [];
  let before = 0;
  let joins = false;
  for (const border of borders) {
    const length = border - before;
    before = border;
    if (joins) {
      counts[counts.length - 1] += length;
      joins = false;
    } else if (length > 0 || counts.length === 0) counts.push(length);
    else joins = true;
  }
  return Uint32Array.from(counts);
}

/** The union of polygons, which together are one object. */
export function rasterizePolygons(polygons: readonly Polygon[], height: number, width: number): Rle {
  return mergeMasks(polygons.map((polygon) => rasterizePolygon(polygon, height, width)));
}

/** A box as a mask. */
export function rasterizeBox([x, y, width, height]: BoxXywh, rows: number, columns: number): Rle {
  return rasterizePolygon([x, y, x, y + height, x + width, y + height, x + width, y], rows, columns);
}
