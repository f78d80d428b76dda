import type { Polygon } from "../../core/masks";

/** Corners x1, y1, x2, y2, … */
type Corners = number[];

/** A straight border: of which coordinate (0: x, 1: y), where, and whether what is above it stays. */
interface Border {
  readonly axis: 0 | 1;
  readonly at: number;
  readonly keepsAbove: boolean;
}

/**
 * What of a polygon lies within a window from (left, top) to (right, bottom), as polygons: where the outline leaves and
 * comes back, one becomes several. Of a polygon that crosses itself the parts of even and odd crossings stay what they are.
 * Pieces without an area are left out.
 */
export function clipPolygon(
  polygon: Polygon,
  window: { left: number; top: number; right: number; bottom: number },
): Float64Array[] {
  const borders: Border[] = [
    { axis: 0, at: window.left, keepsAbove: true },
    { axis: 0, at: window.right, keepsAbove: false },
    { axis: 1, at: window.top, keepsAbove: true },
    { axis: 1, at: window.bottom, keepsAbove: false },
  ];
  const whole: Corners[] = [withoutRepeats(Array.from(polygon))];
  const pieces = borders.reduce((left, border) => left.flatMap((piece) => clipAt(piece, border)), whole);
  return pieces
    .map(withoutRepeats)
    .filter(hasArea)
    .map((piece) => Float64Array.from(piece));
}

/** A stretch of the outline on the side that stays; both ends lie on the border. */
interface Stretch {
  readonly corners: Corners;
}

/** The pieces of a polygon on one side of a border. */
function clipAt(corners: Corners, border: Border): Corners[] {
  const count = corners.length / 2;
  const isInside = (i: number) => {
    const value = corners[2 * (i % count) + border.axis];
    return border.keepsAbove ? value >= border.at : value <= border.at;
  };
  const start = Array.from({ length: count }, (_, i) => i).find((i) => !isInside(i));
  if (start === undefined) return [corners];
  const stretches: Stretch[] = [];
  for (let i = start; i < start + count; i++) {
    const [from, to] = [isInside(i), isInside(i + 1)];
    if (!from && to) stretches.push({ corners: [...crossing(corners, i % count, border)] });
    if (to) stretches[stretches.length - 1].corners.push(...cornerAt(corners, (i + 1) % count));
    if (from && !to) stretches[stretches.length - 1].corners.push(...crossing(corners, i % count, border));
  }
  return joined(stretches, border.axis === 0 ? 1 : 0);
}

const cornerAt = (corners: Corners, i: number): [number, number] => [corners[2 * i], corners[2 * i + 1]];

/** Where the edge from corner i crosses the border; exactly on it. */
function crossing(corners: Corners, i: number, { axis, at }: Border): [number, number] {
  const [from, to] = [cornerAt(corners, i), cornerAt(corners, (i + 1) % (corners.length / 2))];
  const other = axis === 0 ? 1 : 0;
  const share = (at - from[axis]) / (to[axis] - from[axis]);
  const value = from[other] + share * (to[other] - from[other]);
  return axis === 0 ? [at, value] : [value, at];
}

/**
 * Closes stretches along the border: of their ends, in the order in which they lie on it, the first is joined with the
 * second, the third with the fourth and so on, for between these is the inside.
 */
function joined(stretches: readonly Stretch[], along: 0 | 1): Corners[] {
  const ends = stretches.flatMap(({ corners }, stretch) => [
    { stretch, isLast: false, place: corners[along] },
    { stretch, isLast: true, place: corners[corners.length - 2 + along] },
  ]);
  const sorted = [...ends].sort((a, b) => a.place - b.place);
  const partner = new Map(sorted.map((end, i) => [end, sorted[i % 2 === 0 ? i + 1 : i - 1]]));
  const pieces: Corners[] = [];
  const done = new Set<number>();
  for (const first of ends.filter(({ isLast }) => !isLast)) {
    if (done.has(first.stretch)) continue;
    const piece: Corners = [];
    for (let end = first; !done.has(end.stretch); ) {
      const { corners } = stretches[end.stretch];
      piece.push(...(end.isLast ? reversed(corners) : corners));
      done.add(end.stretch);
      const leaves = ends[2 * end.stretch + (end.isLast ? 0 : 1)];
      end = partner.get(leaves)!;
    }
    pieces.push(piece);
  }
  return pieces;
}

function reversed(corners: Corners): Corners {
  const result: Corners = [];
  for (let i = corners.length - 2; i >= 0; i -= 2) result.push(corners[i], corners[i + 1]);
  return result;
}

function withoutRepeats(corners: Corners): Corners {
  const count = corners.length / 2;
  return corners.filter((_, at) => {
    const [i, next] = [at >> 1, ((at >> 1) + 1) % count];
    return (
      count === 1 || corners[2 * i] !== corners[2 * next] || corners[2 * i + 1] !== corners[2 * next + 1]
    );
  });
}

/** Corners that do not all lie on one line. */
function hasArea(corners: Corners): boolean {
  const [x0, y0] = corners;
  for (let i = 2; i + 3 < corners.length; i += 2) {
    const [ax, ay] = [corners[i] - x0, corners[i + 1] - y0];
    for (let j = i + 2; j + 1 < corners.length; j += 2) {
      if (ax * (corners[j + 1] - y0) - ay * (corners[j] - x0) !== 0) return true;
    }
  }
  return false;
}
