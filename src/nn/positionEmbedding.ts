import { LuvitError } from "../core/errors";
import type { HostTensor } from "../core/hostTensor";
import { checkOptions, list, object, oneOf, such, whole } from "../core/options";

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

const count = whole(1, 100_000);
const tableParts = object(
  {
    shape: list(whole(0, Number.MAX_SAFE_INTEGER), 3),
    data: such<Float32Array>("a Float32Array", (value) => value instanceof Float32Array),
  },
  {},
);
const resizing = object(
  {
    size: object({ rows: count, columns: count }, {}),
    extra: whole(0, 1000),
    resize: oneOf(["mae", "timm"]),
  },
  {},
);

/** Whose bicubic resize: MAE's (A = -0.75, no antialias) or timm's (A = -0.5, antialiased). */
export type PositionResize = "mae" | "timm";

/**
 * Bicubic resize of a learned table [1, extra + g², D] to another grid [1, extra + rows*columns, D]; the first `extra`
 * rows (class token) are kept. align_corners is false. "mae": border taps clamped. "timm": where the grid shrinks the
 * kernel widens with it, and weights outside the grid are shared among those inside.
 * Reference: mae/util/pos_embed.py interpolate_pos_embed; timm layers/pos_embed.py resample_abs_pos_embed; aten
 * UpSample.h, UpSampleKernel.cpp.
 */
export function resizePositionTable(
  table: HostTensor,
  size: { rows: number; columns: number },
  extra = 1,
  resize: PositionResize = "mae",
): HostTensor {
  checkOptions("resizePositionTable", tableParts, { shape: table?.shape, data: table?.data });
  checkOptions("resizePositionTable", resizing, { size, extra, resize });
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
  else {
    const taps = resize === "mae" ? clampedTaps : antialiasedTaps;
    const source = table.data.subarray(extra * dim);
    interpolate(source, data.subarray(extra * dim), side, dim, taps(side, rows), taps(side, columns));
  }
  return { shape: [1, extra + rows * columns, dim], data };
}

/** For each output position: (input position, weight) pairs. */
type Taps = readonly (readonly (readonly [position: number, weight: number])[])[];

function interpolate(
  source: Float32Array,
  target: Float32Array,
  side: number,
  dim: number,
  vertical: Taps,
  horizontal: Taps,
): void {
  for (const [row, taps] of vertical.entries()) {
    for (const [column, inRow] of horizontal.entries()) {
      const to = (row * horizontal.length + column) * dim;
      const cell = target.subarray(to, to + dim);
      for (const [y, weightY] of taps) {
        for (const [x, weightX] of inRow) {
          const start = (y * side + x) * dim;
          for (let c = 0; c < dim; c++) cell[c] += weightY * weightX * source[start + c];
        }
      }
    }
  }
}

function clampedTaps(from: number, to: number): Taps {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale - 0.5;
    const first = Math.floor(center) - 1;
    return [0, 1, 2, 3].map((k) => {
      const position = Math.min(from - 1, Math.max(0, first + k));
      return [position, cubicWeight(center - (first + k), -0.75)] as const;
    });
  });
}

function antialiasedTaps(from: number, to: number): Taps {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
    const end = Math.min(from, Math.floor(center + 2 * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (_, k) =>
      cubicWeight((first + k + 0.5 - center) / stretch, -0.5),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight, k) => [first + k, weight / sum] as const);
  });
}

/** Keys' cubic convolution kernel; `a` is its slope at distance 1. */
function cubicWeight(distance: number, a: number): number {
  const t = Math.abs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}
