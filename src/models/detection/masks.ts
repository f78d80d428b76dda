import { decodeMask, encodeMask, type Polygon, type Rle, rasterizePolygons } from "../../core/masks";
import { type Boxes, boxAt, type Size } from "./boxes";

/**
 * An object's outline seen through a box: `side` x `side`, 0 and 1.
 * Reference: detectron2 structures/masks.py rasterize_polygons_within_box.
 */
export function maskTarget(polygons: readonly Polygon[], box: Boxes, side: number): Uint8Array {
  const scale = (from: number, to: number) => {
    const size = Math.fround(to - from);
    return size < 0.1 ? side / 0.1 : Math.fround(side / size);
  };
  const scales = [scale(box[0], box[2]), scale(box[1], box[3])];
  const moved = polygons.map((polygon) =>
    Float64Array.from(polygon, (corner, i) => (corner - box[i % 2]) * scales[i % 2]),
  );
  return decodeMask(rasterizePolygons(moved, side, side));
}

/** Which cells of a mask, and how much, every pixel between `first` and `end` sees. */
function pixelWeights(from: number, to: number, side: number, first: number, end: number) {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => {
    const relative = Math.fround(Math.fround(first + i + 0.5 - from) / Math.fround(to - from));
    const place = Math.fround(relative * side - 0.5);
    const low = Math.floor(place);
    const share = place - low;
    const inside = (cell: number) => cell >= 0 && cell < side;
    return [
      { cell: low, weight: inside(low) ? 1 - share : 0 },
      { cell: low + 1, weight: inside(low + 1) ? share : 0 },
    ];
  });
}

/**
 * A soft mask [side, side] stretched over its box in an image: pixels of at least `threshold` are inside. What is outside
 * the mask counts as 0, so that it fades at the box's border.
 * Reference: detectron2 layers/mask_ops.py paste_masks_in_image.
 */
export function pasteMask(mask: Float32Array, box: Boxes, { height, width }: Size, threshold = 0.5): Rle {
  const side = Math.sqrt(mask.length);
  const pixels = new Uint8Array(height * width);
  const reach = (from: number, to: number, length: number) => {
    const half = Math.abs(to - from) / side;
    return [Math.max(0, Math.floor(from - half)), Math.min(length, Math.ceil(to + half))] as const;
  };
  const [left, right] = reach(box[0], box[2], width);
  const [top, bottom] = reach(box[1], box[3], height);
  const columns = pixelWeights(box[0], box[2], side, left, right);
  pixelWeights(box[1], box[3], side, top, bottom).forEach((rows, i) => {
    columns.forEach((across, j) => {
      let value = 0;
      for (const { cell: y, weight: down } of rows) {
        if (down === 0) continue;
        for (const { cell: x, weight } of across)
          if (weight !== 0) value += down * weight * mask[y * side + x];
      }
      if (value >= threshold) pixels[(top + i) * width + left + j] = 1;
    });
  });
  return encodeMask(pixels, height, width);
}

/** Masks [n, side, side] over their boxes. */
export function pasteMasks(masks: Float32Array, boxes: Boxes, image: Size, threshold?: number): Rle[] {
  const count = boxes.length / 4;
  const size = count === 0 ? 0 : masks.length / count;
  return Array.from({ length: count }, (_, i) =>
    pasteMask(masks.subarray(i * size, (i + 1) * size), boxAt(boxes, i), image, threshold),
  );
}
