import type { HostTensor } from "../core/hostTensor";
import { LuvitError } from "../core/errors";

/**
 * MAE's fixed 2-D sine-cosine table [1 + grid², dim]; row 0 (class token) is zero. The first half of the channels
 * encodes the column, the second the row; in each half all sines come before all cosines.
 * Reference: mae/util/pos_embed.py.
 */
export function sinCosPositionTable(dim: number, grid: number): Float32Array {
  if (dim % 4 !== 0)
    throw new LuvitError("bad-argument", `position table: dim ${dim} is not a multiple of 4`);
  const table = new Float32Array((1 + grid * grid) * dim);
  const quarter = dim / 4;
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const start = (1 + row * grid + column) * dim;
      for (let k = 0; k < quarter; k++) {
        const omega = 1 / 10000 ** (k / quarter);
        table[start + k] = Math.sin(column * omega);
        table[start + quarter + k] = Math.cos(column * omega);
        table[start + 2 * quarter + k] = Math.sin(row * omega);
        table[start + 3 * quarter + k] = Math.cos(row * omega);
      }
    }
  }
  return table;
}

/**
 * Bicubic resize of a learned table [1, extra + g², D] to another grid [1, extra + rows*columns, D]; the first `extra`
 * rows (class token) are kept. torch's kernel A = -0.75, align_corners false, no antialias, border taps clamped.
 * Reference: mae/util/pos_embed.py interpolate_pos_embed; aten UpSample.h.
 */
export function resizePositionTable(
  table: HostTensor,
  size: { rows: number; columns: number },
  extra = 1,
): HostTensor {
  const [, tokens, dim] = table.shape;
  const side = Math.round(Math.sqrt(tokens - extra));
  if (side * side !== tokens - extra) {
    throw new LuvitError(
      "shape-mismatch",
      `position table holds ${tokens - extra} cells, which is no square grid`,
    );
  }
  const { rows, columns } = size;
  const data = new Float32Array((extra + rows * columns) * dim);
  data.set(table.data.subarray(0, extra * dim));
  if (rows === side && columns === side) data.set(table.data);
  else interpolate(table.data.subarray(extra * dim), data.subarray(extra * dim), side, rows, columns, dim);
  return { shape: [1, extra + rows * columns, dim], data };
}

function interpolate(
  source: Float32Array,
  target: Float32Array,
  side: number,
  rows: number,
  columns: number,
  dim: number,
): void {
  const vertical = bicubicTaps(side, rows);
  const horizontal = bicubicTaps(side, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = target.subarray((row * columns + column) * dim, (row * columns + column + 1) * dim);
      for (const [y, weightY] of vertical[row]) {
        for (const [x, weightX] of horizontal[column]) {
          const start = (y * side + x) * dim;
          for (let c = 0; c < dim; c++) cell[c] += weightY * weightX * source[start + c];
        }
      }
    }
  }
}

/** For each output position: four (input position, weight) pairs. */
function bicubicTaps(from: number, to: number): [number, number][][] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale - 0.5;
    const first = Math.floor(centre) - 1;
    return [0, 1, 2, 3].map((k) => {
      const position = Math.min(from - 1, Math.max(0, first + k));
      return [position, cubicWeight(centre - (first + k))];
    });
  });
}

const A = -0.75;

function cubicWeight(distance: number): number {
  const t = Math.abs(distance);
  if (t <= 1) return ((A + 2) * t - (A + 3)) * t * t + 1;
  if (t < 2) return ((A * t - 5 * A) * t + 8 * A) * t - 4 * A;
  return 0;
}
