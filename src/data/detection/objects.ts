import type { BoxXywh, Polygon } from "../../core/masks";
import { clipPolygon } from "./clipPolygon";
import { type Geometry, pointIn } from "./geometry";

/** An object of an image: its outline where it is known, its box, and its label. */
export interface OutlinedObject {
  readonly box: BoxXywh;
  readonly label: number;
  readonly polygons?: readonly Polygon[];
}

/** The objects of an image in the square that it went into. */
export interface PlacedObjects {
  /** Left, top, right and bottom, [count, 4]. */
  readonly boxes: Float32Array;
  /** [count]. */
  readonly labels: Int32Array;
  /** Outlines, [count]; undefined where an object is known by its box alone. */
  readonly polygons: readonly (readonly Float64Array[] | undefined)[];
}

/** Smaller objects are none. */
const LEAST_SIDE = 1e-5;

/**
 * Takes objects along: outlines are cut off at the square and boxes drawn around what is left; without an outline the box
 * itself is cut off at the image. Objects of which nothing is left are left out.
 *
 * Reference: detectron2 data/detection_utils.py, structures/masks.py.
 */
export function placeObjects(
  objects: readonly OutlinedObject[],
  geometry: Geometry,
  size: number,
): PlacedObjects {
  const placed = objects.flatMap((object) => {
    const polygons = object.polygons?.flatMap((polygon) => placePolygon(polygon, geometry, size));
    const box = polygons ? boxAround(polygons) : placeBox(object.box, geometry);
    const isGone = box[2] - box[0] <= LEAST_SIDE || box[3] - box[1] <= LEAST_SIDE || polygons?.length === 0;
    return isGone ? [] : [{ box, polygons, label: object.label }];
  });
  return {
    boxes: Float32Array.from(placed.flatMap(({ box }) => [...box])),
    labels: Int32Array.from(placed, ({ label }) => label),
    polygons: placed.map(({ polygons }) => polygons),
  };
}

function placePolygon(polygon: Polygon, geometry: Geometry, size: number): Float64Array[] {
  const corners = new Float64Array(polygon.length);
  for (let i = 0; i < polygon.length; i += 2) corners.set(pointIn(geometry, polygon[i], polygon[i + 1]), i);
  return clipPolygon(corners, { left: 0, top: 0, right: size, bottom: size });
}

/** In single precision; what lies left of or above the image does not widen it, as in the reference. */
function boxAround(polygons: readonly Float64Array[]): Float32Array {
  const infinity = Number.POSITIVE_INFINITY;
  const box = Float32Array.of(infinity, infinity, 0, 0);
  for (const polygon of polygons) {
    polygon.forEach((value, i) => {
      box[i % 2] = Math.min(box[i % 2], value);
      box[2 + (i % 2)] = Math.max(box[2 + (i % 2)], value);
    });
  }
  return box;
}

function placeBox([x, y, width, height]: BoxXywh, geometry: Geometry): Float32Array {
  const [ax, ay] = pointIn(geometry, x, y);
  const [bx, by] = pointIn(geometry, x + width, y + height);
  const within = (value: number, most: number) => Math.min(most, Math.max(0, value));
  const { covered } = geometry;
  return Float32Array.of(
    within(Math.min(ax, bx), covered.width),
    within(Math.min(ay, by), covered.height),
    within(Math.max(ax, bx), covered.width),
    within(Math.max(ay, by), covered.height),
  );
}
