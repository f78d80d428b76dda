import { LuvitError } from "../core/errors";
import type { HostTensor } from "../core/hostTensor";
import { checkOptions, list, object, oneOf, such, whole } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";
import {
  type PositionResize,
  positionResizes,
  positionTaps,
  positionWeights,
  type Taps,
} from "./positionTaps";

export type { PositionResize } from "./positionTaps";

/** Rows and columns of patches. */
export interface PatchGrid {
  rows: number;
  columns: number;
}

const count = whole(1, 100_000);
const grid = object({ rows: count, columns: count }, {});
const extraRows = whole(0, 1000);
const ofGrid = object({ size: grid }, {});

/**
 * MAE's fixed 2-D sine-cosine table [1 + rows*columns, dim], of a square grid or any other; row 0 (class token) is zero.
 * The first half of the channels encodes the column, the second the row; in each half all sines come before all cosines.
 * Reference: mae/util/pos_embed.py.
 */
export function sinCosPositionTable(dim: number, size: number | PatchGrid): Float32Array {
  if (dim % 4 !== 0)
    throw new LuvitError("bad-argument", `position table: dim ${dim} is not a multiple of 4`);
  const given = typeof size === "number" ? { rows: size, columns: size } : size;
  checkOptions("sinCosPositionTable", ofGrid, { size: given });
  const { rows, columns } = given;
  const table = new Float32Array((1 + rows * columns) * dim);
  const quarter = dim / 4;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const start = (1 + row * columns + column) * dim;
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

const tableParts = object(
  {
    shape: list(whole(0, Number.MAX_SAFE_INTEGER), 3),
    data: such<Float32Array>("a Float32Array", (value) => value instanceof Float32Array),
  },
  {},
);
const resizing = object({ size: grid, extra: extraRows, resize: oneOf(positionResizes) }, {});

/**
 * Bicubic resize of a learned table [1, extra + g², D] to another grid [1, extra + rows*columns, D]; the first `extra`
 * rows (class token) are kept. A table that fits is returned as it is.
 *
 * @throws LuvitError("shape-mismatch") for a table of no square grid, LuvitError("bad-argument")
 */
export function resizePositionTable(
  table: HostTensor,
  size: PatchGrid,
  extra = 1,
  resize: PositionResize = "mae",
): HostTensor {
  checkOptions("resizePositionTable", tableParts, { shape: table?.shape, data: table?.data });
  checkOptions("resizePositionTable", resizing, { size, extra, resize });
  const [, tokens, dim] = table.shape;
  const side = sideOf(tokens, extra);
  const { rows, columns } = size;
  const data = new Float32Array((extra + rows * columns) * dim);
  data.set(table.data.subarray(0, extra * dim));
  if (rows === side && columns === side) data.set(table.data);
  else {
    const taps = [rows, columns].map((to) => positionTaps(side, to, resize));
    interpolate(table.data.subarray(extra * dim), data.subarray(extra * dim), side, dim, taps[0], taps[1]);
  }
  return { shape: [1, extra + rows * columns, dim], data };
}

function sideOf(tokens: number, extra: number): number {
  const side = Math.round(Math.sqrt(tokens - extra));
  if (side >= 1 && side * side === tokens - extra) return side;
  throw new LuvitError(
    "shape-mismatch",
    `position table holds ${tokens - extra} cells, which is no square grid`,
  );
}

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

/** How positions of a grid that is not the table's own are made: resized, or the fixed sine-cosine table of that grid. */
export type PositionRule = PositionResize | "sincos";

export const positionRules: readonly PositionRule[] = [...positionResizes, "sincos"];

const inGraph = object({ size: grid, rule: oneOf(positionRules), extra: extraRows }, {});

/**
 * Positions of the patches of a grid out of a table [1, extra + g², D] -> [1, rows*columns, D], rows first; the first
 * `extra` rows (class token) are left out. An op like others: each axis is a product with weights made on the host, so
 * that gradients flow to the table. The table's own grid is taken as it is stored, but for DINO's rule, which moves it by
 * a trifle.
 *
 * @throws LuvitError("shape-mismatch") for a table of no square grid, LuvitError("bad-argument")
 * @example
 * const table = luvit.tf.zeros([1, 197, 768]);
 * const positions = luvit.nn.positionsOfGrid(table, { rows: 64, columns: 48 }, "mae"); // [1, 3072, 768]
 */
export function positionsOfGrid(table: Tensor, size: PatchGrid, rule: PositionRule, extra = 1): Tensor {
  checkOptions("positionsOfGrid", tensorField, table);
  checkOptions("positionsOfGrid", inGraph, { size, rule, extra });
  const [, tokens, dim] = table.shape as [number, number, number];
  const side = sideOf(tokens, extra);
  const { rows, columns } = size;
  const stored = tf.slice(table, [0, extra, 0], [1, tokens - extra, dim]);
  if (rows === side && columns === side && rule !== "dino") return stored;
  if (rule === "sincos") {
    return tf.tensor(sinCosPositionTable(dim, size).subarray(dim), [1, rows * columns, dim]);
  }
  const [vertical, horizontal] = [rows, columns].map((to) => {
    const { data, shape } = positionWeights(side, to, rule);
    return tf.tensor2d(data, shape as [number, number]);
  });
  const tall = tf.matMul(vertical, tf.reshape(stored, [side, side * dim]) as tf.Tensor2D);
  const turned = tf.transpose(tf.reshape(tall, [rows, side, dim]), [1, 0, 2]);
  const wide = tf.matMul(horizontal, tf.reshape(turned, [side, rows * dim]) as tf.Tensor2D);
  const back = tf.transpose(tf.reshape(wide, [columns, rows, dim]), [1, 0, 2]);
  return tf.reshape(back, [1, rows * columns, dim]);
}
