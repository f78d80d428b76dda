/**
 * A closed line x1, y1, x2, y2, … with as few of its corners as leave none further off than `tolerance`.
 *
 * Reference: Douglas and Peucker 1973.
 */
export function simplified(line: ArrayLike<number>, tolerance: number): number[] {
  const count = line.length / 2;
  const keep = new Uint8Array(count);
  const farthest = farthestFrom(line, 0, 0, count);
  keep[0] = 1;
  keep[farthest.at] = 1;
  const open: [number, number][] = [
    [0, farthest.at],
    [farthest.at, count],
  ];
  for (let part = open.pop(); part; part = open.pop()) {
    const [from, to] = part;
    const { at, distance } = farthestFrom(line, from, to % count, to);
    if (distance <= tolerance) continue;
    keep[at] = 1;
    open.push([from, at], [at, to]);
  }
  const corners: number[] = [];
  for (let i = 0; i < count; i++) if (keep[i]) corners.push(line[2 * i]!, line[2 * i + 1]!);
  return corners;
}

/** The corner between `from` and `end` that is farthest from the line between two corners. */
function farthestFrom(line: ArrayLike<number>, from: number, to: number, end: number) {
  const [ax, ay, bx, by] = [line[2 * from]!, line[2 * from + 1]!, line[2 * to]!, line[2 * to + 1]!];
  const length = Math.hypot(bx - ax, by - ay);
  let best = { at: from, distance: 0 };
  for (let at = from + 1; at < end; at++) {
    const [x, y] = [line[2 * at]! - ax, line[2 * at + 1]! - ay];
    const distance = length === 0 ? Math.hypot(x, y) : Math.abs(x * (by - ay) - y * (bx - ax)) / length;
    if (distance > best.distance) best = { at, distance };
  }
  return best;
}
