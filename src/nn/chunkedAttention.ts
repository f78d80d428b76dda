import { type Tensor, tf } from "../core/tf";
import { after } from "./ops/after";

/** Scores that are made at once, at most: 128 MB. */
export const MOST_SCORES = 2 ** 25;

/**
 * What is added to the scores of a query at keys that lie in rows and columns: a number for the key's row and one for
 * its column.
 */
export interface GridBias {
  /** [B, H, T, rows]. */
  rows: Tensor;
  /** [B, H, T, columns]. */
  columns: Tensor;
}

export interface ChunkOptions {
  bias?: GridBias;
  mostScores?: number;
}

/**
 * Attention whose scores never lie in memory as a whole: softmax(q kᵀ / sqrt(C) + bias) v, some queries at a time, the
 * same numbers as all at once. Gradients compute the scores of their queries again. query [B, H, T, C], key and value
 * [B, H, S, C] -> [B, H, T, C].
 * Reference: Rabe and Staats 2021, "Self-attention does not need O(n²) memory", with chunks of queries alone.
 */
export function attendInChunks(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { bias, mostScores = MOST_SCORES }: ChunkOptions = {},
): Tensor {
  const [batch, heads, tokens] = query.shape as [number, number, number];
  const perChunk = Math.max(1, Math.floor(mostScores / (batch * heads * key.shape[2]!)));
  const starts = Array.from({ length: Math.ceil(tokens / perChunk) }, (_, i) => i * perChunk);
  const operands = bias ? [query, key, value, bias.rows, bias.columns] : [query, key, value];
  const attend = tf.customGrad((...given) => {
    const save = given[operands.length] as unknown as tf.GradSaveFunc;
    const tensors = given.slice(0, operands.length) as Tensor[];
    save(tensors);
    const chunks = starts.map((start) => {
      const [q, k, v, ...biases] = chunkOf(tensors, start, perChunk);
      return tf.matMul(patternOf(q, k, biases), v);
    });
    return {
      value: joined(chunks),
      gradFunc: (dy: Tensor, saved: Tensor[]) => gradients(dy, saved, starts, perChunk),
    };
  });
  return attend(...operands);
}

const joined = (chunks: readonly Tensor[]) => (chunks.length === 1 ? chunks[0] : tf.concat([...chunks], 2));

/** `count` queries from `start` on, with what belongs to them; keys and values are those of all. */
function chunkOf([query, key, value, ...biases]: readonly Tensor[], start: number, count: number): Tensor[] {
  const [q, ...own] = [query, ...biases].map((x) => rowsFrom(x, start, count));
  return [q, key, value, ...own];
}

function rowsFrom(x: Tensor, start: number, count: number): Tensor {
  const [batch, heads, tokens, channels] = x.shape as [number, number, number, number];
  return tf.slice(x, [0, 0, start, 0], [batch, heads, Math.min(count, tokens - start), channels]);
}

function patternOf(q: Tensor, k: Tensor, biases: readonly Tensor[]): Tensor {
  const scores = tf.matMul(tf.mul(q, q.shape[3]! ** -0.5), k, false, true);
  return tf.softmax(biases.length > 0 ? addGridBias(scores, biases[0], biases[1]) : scores);
}

/** scores [B, H, T, rows * columns] plus a bias of each row and of each column. */
export function addGridBias(scores: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [batch, heads, tokens] = scores.shape as [number, number, number];
  const [down, across] = [rows.shape[3]!, columns.shape[3]!];
  const grid = tf.reshape(scores, [batch * heads, tokens, down, across]);
  const biased = tf.add(
    tf.add(grid, tf.reshape(rows, [batch * heads, tokens, down, 1])),
    tf.reshape(columns, [batch * heads, tokens, 1, across]),
  );
  return tf.reshape(biased, scores.shape);
}

function gradients(
  dy: Tensor,
  saved: readonly Tensor[],
  starts: readonly number[],
  perChunk: number,
): Tensor[] {
  // Not before the gradient is there: else an engine would keep the scores of the forward pass for it.
  const late = [after(saved[0], dy), ...saved.slice(1)];
  const parts = starts.map((start) => {
    const [q, k, v, ...biases] = chunkOf(late, start, perChunk);
    return gradientsOfChunk(rowsFrom(dy, start, perChunk), q, k, v, biases);
  });
  const [ofKey, ofValue] = ["key", "value"].map((name) => tf.addN(parts.map((part) => part[name as "key"])));
  const [ofRows, ofColumns] = [0, 1].map((i) => parts.map(({ biases }) => biases[i]));
  const ofBiases = saved.length > 3 ? [joined(ofRows), joined(ofColumns)] : [];
  return [joined(parts.map(({ query }) => query)), ofKey, ofValue, ...ofBiases];
}

function gradientsOfChunk(dy: Tensor, q: Tensor, k: Tensor, v: Tensor, biases: readonly Tensor[]) {
  const pattern = patternOf(q, k, biases);
  const ofPattern = tf.matMul(dy, v, false, true);
  const weighted = tf.mul(ofPattern, pattern);
  const ofScores = tf.sub(weighted, tf.mul(pattern, tf.sum(weighted, -1, true)));
  const scale = q.shape[3]! ** -0.5;
  return {
    query: tf.mul(tf.matMul(ofScores, k), scale),
    key: tf.matMul(ofScores, tf.mul(q, scale), true, false),
    value: tf.matMul(pattern, dy, true, false),
    biases: biases.length > 0 ? gridSums(ofScores, biases[0].shape[3]!, biases[1].shape[3]!) : [],
  };
}

/** Sums over the keys of every row, and of every column: [B, H, T, rows] and [B, H, T, columns]. */
function gridSums(ofScores: Tensor, rows: number, columns: number): Tensor[] {
  const [batch, heads, tokens] = ofScores.shape as [number, number, number];
  const grid = tf.reshape(ofScores, [batch * heads, tokens, rows, columns]);
  return [3, 2].map((axis) => tf.reshape(tf.sum(grid, axis), [batch, heads, tokens, -1]));
}
