/** The band's share of the diagonal. */
const SHARE = 0.03;

/**
 * The bands along the borders of a map of ids [height, width]: id + 1 where another id, or the outside, is nearer than a
 * 3 % of the diagonal, 0 further inside.
 *
 * Reference: LUSSeg/ImageNet-S evaluation/metric.py.
 */
export function boundaryBands(ids: Int32Array, height: number, width: number): Int32Array {
  const distance = Math.max(1, Math.round(SHARE * Math.hypot(height, width)));
  const isSameAcross = new Uint8Array(ids.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    markInside(
      isSameAcross,
      distance,
      width,
      (x) => row + x,
      (a, b) => ids[a] === ids[b],
    );
  }
  const isInside = new Uint8Array(ids.length);
  const same = (a: number, b: number) => isSameAcross[a] === 1 && isSameAcross[b] === 1 && ids[a] === ids[b];
  for (let x = 0; x < width; x++) markInside(isInside, distance, height, (y) => y * width + x, same);
  return ids.map((id, i) => (isInside[i] === 1 && isSameAcross[i] === 1 ? 0 : id + 1));
}

/** Marks the positions of a line that have `distance` equal neighbors on both sides. */
function markInside(
  marks: Uint8Array,
  distance: number,
  length: number,
  place: (i: number) => number,
  same: (a: number, b: number) => boolean,
): void {
  let start = 0;
  for (let i = 1; i <= length; i++) {
    if (i < length && same(place(i - 1), place(i))) continue;
    for (let inside = start + distance; inside < i - distance; inside++) marks[place(inside)] = 1;
    start = i;
  }
}
