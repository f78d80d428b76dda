import { LuvitError } from "../../core/errors";
import {
  expectDrawable,
  expectWhole,
  mergeMasks,
  type Polygon,
  type Rle,
  rasterizePolygon,
  rleFromText,
} from "../../core/masks";
import { describeValue } from "../../core/options";

/** The outline of an object: its parts as polygons, which may be none, or its pixels. */
export type Segmentation = readonly Polygon[] | Rle;

export const isPolygons = (segmentation: Segmentation): segmentation is readonly Polygon[] =>
  Array.isArray(segmentation);

/** A mask of an outline on an image of `height` x `width` pixels. */
export function maskOf(segmentation: Segmentation, height: number, width: number): Rle {
  if (!isPolygons(segmentation)) return segmentation;
  if (segmentation.length === 0) return { height, width, counts: Uint32Array.of(height * width) };
  return mergeMasks(segmentation.map((polygon) => rasterizePolygon(polygon, height, width)));
}

/**
 * What COCO's `segmentation` holds: a list of polygons, or the runs of a mask as a list or as a text.
 *
 * @throws LuvitError("bad-argument") that says what it is instead.
 */
export function segmentationOf(value: unknown): Segmentation {
  if (Array.isArray(value)) return value.map(polygonOf);
  const { size, counts } = (value ?? {}) as { size?: unknown; counts?: unknown };
  if (counts === undefined) throw wrong("polygons [[x1, y1, x2, y2, …]] or { size, counts }", value);
  if (!Array.isArray(size) || size.length !== 2 || !size.every((side) => Number.isInteger(side) && side >= 0))
    throw wrong("size to be [height, width]", size);
  const [height, width] = size as [number, number];
  if (height * width >= 2 ** 32) throw wrong("a mask of fewer than 2^32 pixels", size);
  if (typeof counts === "string") return rleFromText(counts, height, width);
  const isRun = (run: unknown) => Number.isInteger(run) && Number(run) >= 0 && Number(run) < 2 ** 32;
  if (!Array.isArray(counts) || !counts.every(isRun))
    throw wrong("counts to be whole numbers or a text", counts);
  const rle = { height, width, counts: Uint32Array.from(counts as number[]) };
  expectWhole(rle);
  return rle;
}

function polygonOf(value: unknown, part: number): Float64Array {
  const where = `polygon ${part + 1}`;
  if (!Array.isArray(value)) throw wrong(`${where} to be numbers [x1, y1, x2, y2, …]`, value);
  for (const corner of value)
    if (!Number.isFinite(corner)) throw wrong(`${where} to be numbers [x1, y1, x2, y2, …]`, corner);
  if (value.length < 6 || value.length % 2 !== 0)
    throw new LuvitError(
      "bad-argument",
      `${where} has ${value.length} numbers; x and y of three corners or more are expected`,
    );
  const polygon = Float64Array.from(value as number[]);
  for (const corner of polygon)
    if (Math.abs(corner) > FARTHEST) {
      const far = `${where} has a corner at ${corner}, more than ${FARTHEST} pixels away`;
      throw new LuvitError("bad-argument", far);
    }
  expectDrawable(polygon, where);
  return polygon;
}

/** From the image's corner, in pixels, of corners and sides. */
export const FARTHEST = 1_000_000;

function wrong(expected: string, value: unknown): LuvitError {
  return new LuvitError("bad-argument", `expected ${expected}, got ${describeValue(value)}`);
}
