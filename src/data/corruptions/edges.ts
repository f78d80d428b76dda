import { inside } from "./filters";

/** Bytes [H, W]. */
export interface Bytes {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** tan(22.5°) in 15 bits. */
const tangent = Math.round(Math.tan(Math.PI / 8) * (1 << 15));

/**
 * Edges after Canny with 3 x 3 Sobel gradients and |dx| + |dy| as OpenCV computes them: 255 on an edge, else 0. Pixels
 * above `high` that are the largest across the edge begin one, those above `low` continue it.
 */
export function canny(image: Bytes, low: number, high: number): Uint8Array {
  const { width, height } = image;
  const { dx, dy, size } = gradients(image);
  const edges = new Uint8Array(width * height);
  const open: number[] = [];
  const candidates = new Uint8Array(width * height);
  for (let i = 0; i < candidates.length; i++) {
    if (size(i, 0, 0) <= low || !isRidge(i, dx[i], dy[i], size)) continue;
    candidates[i] = 1;
    if (size(i, 0, 0) > high) open.push(i);
  }
  for (let i = open.pop(); i !== undefined; i = open.pop()) {
    if (edges[i]) continue;
    edges[i] = 255;
    const [x, y] = [i % width, Math.floor(i / width)];
    for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
      for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
        const next = row * width + column;
        if (candidates[next] && !edges[next]) open.push(next);
      }
    }
  }
  return edges;
}

/** Gradient size at a pixel, or at one of its neighbors. */
type SizeAt = (index: number, column: number, row: number) => number;

function gradients({ data, width, height }: Bytes): { dx: Int32Array; dy: Int32Array; size: SizeAt } {
  const dx = new Int32Array(width * height);
  const dy = new Int32Array(width * height);
  for (let i = 0; i < dx.length; i++) {
    const at = (column: number, row: number) => {
      const x = inside((i % width) + column, width, "nearest");
      return data[inside(Math.floor(i / width) + row, height, "nearest") * width + x];
    };
    dx[i] = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1);
    dy[i] = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1);
  }
  const size: SizeAt = (index, column, row) => {
    const x = (index % width) + column;
    const y = Math.floor(index / width) + row;
    if (x < 0 || y < 0 || x >= width || y >= height) return 0;
    return Math.abs(dx[y * width + x]) + Math.abs(dy[y * width + x]);
  };
  return { dx, dy, size };
}

/** Whether a pixel's gradient is the largest in the gradient's direction, of four directions. */
function isRidge(i: number, dx: number, dy: number, size: SizeAt): boolean {
  const own = size(i, 0, 0);
  const x = Math.abs(dx);
  const y = Math.abs(dy) * (1 << 15);
  const flat = x * tangent;
  if (y < flat) return own > size(i, -1, 0) && own >= size(i, 1, 0);
  if (y > flat + x * (1 << 16)) return own > size(i, 0, -1) && own >= size(i, 0, 1);
  const side = (dx ^ dy) < 0 ? -1 : 1;
  return own > size(i, -side, -1) && own > size(i, side, 1);
}

/** Steps of the 5 x 5 chamfer: straight, diagonal and knight's move. */
const [straight, diagonal, knight] = [1, 1.4, 2.1969].map(Math.fround);
const before = [
  [-1, -2, knight],
  [1, -2, knight],
  [-2, -1, knight],
  [-1, -1, diagonal],
  [0, -1, straight],
  [1, -1, diagonal],
  [2, -1, knight],
  [-1, 0, straight],
] as const;

/**
 * Distance of each pixel to the nearest one that is 0, by two passes over a 5 x 5 neighborhood in single precision
 * (Borgefors 1986), as OpenCV's builds for x86 compute it.
 */
export function distanceToZero({ data, width, height }: Bytes): Float32Array {
  const distance = Float32Array.from(data, (byte) => (byte === 0 ? 0 : Number.MAX_SAFE_INTEGER));
  const relax = (i: number, sign: 1 | -1) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    for (const [column, row, length] of before) {
      const [otherX, otherY] = [x + sign * column, y + sign * row];
      if (otherX < 0 || otherY < 0 || otherX >= width || otherY >= height) continue;
      distance[i] = Math.min(distance[i], distance[otherY * width + otherX] + length);
    }
  };
  for (let i = 0; i < distance.length; i++) relax(i, 1);
  for (let i = distance.length - 1; i >= 0; i--) relax(i, -1);
  return distance;
}

/** Spreads the values over 0 … 255 by their cumulative counts, the smallest one to 0, as OpenCV does. */
export function equalize(data: Uint8Array): Uint8Array {
  const counts = new Uint32Array(256);
  for (const byte of data) counts[byte]++;
  const first = counts.findIndex((count) => count > 0);
  if (counts[first] === data.length) return data.slice();
  const scale = Math.fround(255 / (data.length - counts[first]));
  const table = new Uint8Array(256);
  let sum = 0;
  for (let byte = first + 1; byte < 256; byte++) {
    sum += counts[byte];
    table[byte] = Math.min(255, Math.round(Math.fround(sum * scale)));
  }
  return data.map((byte) => table[byte]);
}
