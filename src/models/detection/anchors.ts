import { type Boxes, joinBoxes, type Size } from "./boxes";

export interface AnchorSettings {
  /** Pixels between the centers, for each level. */
  strides: readonly number[];
  /** Pixels: sides of the square of the same area, for each level. */
  sizes: readonly (readonly number[])[];
  /** Height over width. */
  ratios: readonly number[];
  /** Of the first center, in strides. */
  offset: number;
}

/** Boxes of one level around the origin, size by size and ratio by ratio. */
export function cellAnchors(sizes: readonly number[], ratios: readonly number[]): Boxes {
  const cells = sizes.flatMap((size) =>
    ratios.flatMap((ratio) => {
      const width = Math.sqrt((size * size) / ratio);
      const height = ratio * width;
      return [-width / 2, -height / 2, width / 2, height / 2];
    }),
  );
  return Float32Array.from(cells);
}

export function anchorsPerPlace({ sizes, ratios }: AnchorSettings): number {
  return sizes[0].length * ratios.length;
}

/**
 * Anchors of every level, for maps of these sizes: row by row, place by place, then as `cellAnchors` has them.
 * Reference: detectron2 modeling/anchor_generator.py DefaultAnchorGenerator.
 */
export function anchorsOf(
  { strides, sizes, ratios, offset }: AnchorSettings,
  maps: readonly Size[],
): Boxes[] {
  return maps.map(({ height, width }, level) => {
    const cells = cellAnchors(sizes[level], ratios);
    const stride = strides[level];
    const boxes = new Float32Array(height * width * cells.length);
    let at = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let i = 0; i < cells.length; i++)
          boxes[at++] = ((i % 2 === 0 ? x : y) + offset) * stride + cells[i];
      }
    }
    return boxes;
  });
}

/** The same in one row. */
export const allAnchors = (settings: AnchorSettings, maps: readonly Size[]): Boxes =>
  joinBoxes(...anchorsOf(settings, maps));
