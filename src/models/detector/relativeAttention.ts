import type { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { addGridBias, attendInChunks, type GridBias, MOST_SCORES } from "../../nn/chunkedAttention";
import { type Context, site } from "../../nn/context";
import { normal, zeros } from "../../nn/init";
import { Linear } from "../../nn/layers";
import { Module } from "../../nn/module";
import { mergeHeads, splitQkv } from "../../nn/ops";
import { Parameter } from "../../nn/parameter";

/** Rows and columns of tokens. */
export interface Grid {
  rows: number;
  columns: number;
}

/**
 * Self-attention with relative positions, one table for rows and one for columns, shared by all heads:
 * softmax(q kᵀ / sqrt(C) + q · Rh[qy - ky] + q · Rw[qx - kx]) v. Keys `qkv`, `proj`, `rel_pos_h`, `rel_pos_w`
 * [2 side - 1, C]. Reference: detectron2 modeling/backbone/vit.py Attention, utils.py add_decomposed_rel_pos.
 */
export class RelativeAttention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly rel_pos_h: Parameter;
  readonly rel_pos_w: Parameter;

  constructor(
    dim: number,
    readonly heads: number,
    side: number,
    rng: Rng,
  ) {
    super();
    const initialize = normal(0.02);
    this.qkv = new Linear(dim, 3 * dim, rng, { initialize });
    this.proj = new Linear(dim, dim, rng, { initialize });
    this.rel_pos_h = new Parameter([2 * side - 1, dim / heads], zeros, 0);
    this.rel_pos_w = new Parameter([2 * side - 1, dim / heads], zeros, 0);
  }

  /** x [B, rows * columns, D] -> the same. Taps `<name>.pattern` [B, H, T, T]. */
  forward(x: Tensor, grid: Grid, context: Context, name: string): Tensor {
    const [q, k, v] = splitQkv(this.qkv.forward(x), this.heads);
    const bias = this.bias(q, grid);
    const [batch, heads, tokens, channels] = q.shape as [number, number, number, number];
    const isSeen = context.tap !== undefined || context.edit !== undefined;
    if (!isSeen && batch * heads * tokens * tokens > MOST_SCORES)
      return this.proj.forward(mergeHeads(attendInChunks(q, k, v, { bias })));
    const scores = tf.matMul(tf.mul(q, channels ** -0.5), k, false, true);
    const pattern = site(
      context,
      `${name}.pattern`,
      tf.softmax(addGridBias(scores, bias.rows, bias.columns)),
    );
    return this.proj.forward(mergeHeads(tf.matMul(pattern, v)));
  }

  /** Of the queries as they are, not scaled. */
  private bias(q: Tensor, { rows, columns }: Grid): GridBias {
    const [batch, heads, tokens, channels] = q.shape as [number, number, number, number];
    const byRow = tf.reshape(q, [batch * heads, rows, columns, channels]);
    const byColumn = tf.transpose(byRow, [0, 2, 1, 3]);
    const ofRows = tf.matMul(byRow, distances(this.rel_pos_h.value, rows), false, true);
    const ofColumns = tf.matMul(byColumn, distances(this.rel_pos_w.value, columns), false, true);
    return {
      rows: tf.reshape(ofRows, [batch, heads, tokens, rows]),
      columns: tf.reshape(tf.transpose(ofColumns, [0, 2, 1, 3]), [batch, heads, tokens, columns]),
    };
  }
}

/** Entry [q, k] is the table's for the distance q - k: table [L, C] -> [1, side, side, C]. */
function distances(table: Tensor, side: number): Tensor {
  const fitted = fittedTable(table, 2 * side - 1);
  const places = Int32Array.from(
    { length: side * side },
    (_, i) => Math.floor(i / side) - (i % side) + side - 1,
  );
  const rows = tf.gather(fitted, tf.tensor1d(places, "int32"));
  return tf.reshape(rows, [1, side, side, table.shape[1]!]);
}

/** A table of another side stretched linearly, as torch does without aligned corners: [L, C] -> [length, C]. */
function fittedTable(table: Tensor, length: number): Tensor {
  const stored = table.shape[0];
  if (stored === length) return table;
  const weights = new Float32Array(length * stored);
  for (let i = 0; i < length; i++) {
    const place = Math.max(0, ((i + 0.5) * stored) / length - 0.5);
    const low = Math.min(Math.floor(place), stored - 1);
    weights[i * stored + low] += 1 - (place - low);
    weights[i * stored + Math.min(low + 1, stored - 1)] += place - low;
  }
  return tf.matMul(tf.tensor2d(weights, [length, stored]), table as tf.Tensor2D);
}
