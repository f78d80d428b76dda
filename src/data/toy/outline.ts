/** Corners x1, y1, x2, y2, … of a closed line. */
type Corners = number[];

/** Right, down, left, up. */
const steps: readonly (readonly [x: number, y: number])[] = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];

/**
 * The outlines of the cells of a grid that are inside, along the edges of the cells: around every connected piece once, the
 * inside on the right hand; around holes the other way. Cells that touch at a corner alone are not connected.
 */
export function outlines(
  width: number,
  height: number,
  isInside: (x: number, y: number) => boolean,
): Corners[] {
  const inside = (x: number, y: number) => x >= 0 && x < width && y >= 0 && y < height && isInside(x, y);
  /** Edges that have not been walked, by their start and direction. */
  const edges = new Set<number>();
  const key = (x: number, y: number, direction: number) => 4 * (y * (width + 1) + x) + direction;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) edges.add(key(x, y, 0));
      if (!inside(x + 1, y)) edges.add(key(x + 1, y, 1));
      if (!inside(x, y + 1)) edges.add(key(x + 1, y + 1, 2));
      if (!inside(x - 1, y)) edges.add(key(x, y + 1, 3));
    }
  }
  const found: Corners[] = [];
  for (const first of edges) found.push(walk(first, edges, width, key));
  return found;
}

/** Walks edges from one on until it comes back, and takes them away; corners are where the direction changes. */
function walk(
  first: number,
  edges: Set<number>,
  width: number,
  key: (x: number, y: number, direction: number) => number,
): Corners {
  const corners: Corners = [];
  let direction = first % 4;
  let [x, y] = [Math.floor(first / 4) % (width + 1), Math.floor(first / 4 / (width + 1))];
  for (let last = -1; edges.delete(key(x, y, direction)); ) {
    if (direction !== last) corners.push(x, y);
    last = direction;
    x += steps[direction][0];
    y += steps[direction][1];
    const turns = [1, 0, 3].map((turn) => (direction + turn) % 4);
    direction = turns.find((turn) => edges.has(key(x, y, turn))) ?? direction;
  }
  return corners;
}

/** Twice the area by the shoelace formula; negative around holes. */
export function twiceArea(corners: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < corners.length; i += 2) {
    const next = (i + 2) % corners.length;
    sum += corners[i] * corners[next + 1] - corners[next] * corners[i + 1];
  }
  return sum;
}

/**
 * A closed line with fewer corners, none of the others farther away than `tolerance`.
 *
 * Reference: Douglas and Peucker 1973.
 */
export function simplified(corners: Corners, tolerance: number): Corners {
  const count = corners.length / 2;
  const distance = (i: number) => Math.hypot(corners[2 * i] - corners[0], corners[2 * i + 1] - corners[1]);
  let far = 0;
  for (let i = 1; i < count; i++) if (distance(i) > distance(far)) far = i;
  const kept = [...between(corners, 0, far, tolerance), ...between(corners, far, count, tolerance)];
  return kept.flatMap((i) => [corners[2 * i], corners[2 * i + 1]]);
}

/** Which corners from `first` to before `last` stay. */
function between(corners: Corners, first: number, last: number, tolerance: number): number[] {
  const at = (i: number): [number, number] => [
    corners[(2 * i) % corners.length],
    corners[(2 * i + 1) % corners.length],
  ];
  const [[ax, ay], [bx, by]] = [at(first), at(last)];
  const length = Math.hypot(bx - ax, by - ay);
  let [farthest, most] = [first, tolerance];
  for (let i = first + 1; i < last; i++) {
    const [x, y] = at(i);
    const away = Math.abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length;
    if (away > most) [farthest, most] = [i, away];
  }
  if (farthest === first) return [first];
  return [...between(corners, first, farthest, tolerance), ...between(corners, farthest, last, tolerance)];
}
