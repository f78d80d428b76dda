import { type Tensor, tf } from "../core/tf";
import { type RopeScaling, type RowOrder, rotaryFrequencies } from "../io/llama";

/** What the rotation of a head depends on. */
export interface Rotation {
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  rowOrder: RowOrder;
}

/** Positions int32 [T] of a pass, and how many there may be. */
export interface Positions {
  readonly at: Tensor;
  readonly most: number;
}

/**
 * Rotary position embedding, of positions 0 … T-1 unless others are given. x [B, H, T, C] -> the same shape. With rows in Hugging Face order
 * element i turns with i + C/2, in Meta order 2i turns with 2i+1; the two orders hold the same numbers elsewhere.
 * Reference: transformers modeling_llama.py; facebookresearch/llama model.py.
 */
export function rotate(x: Tensor, config: Rotation, positions?: Positions): Tensor {
  const [batch, heads, tokens, channels] = x.shape as [number, number, number, number];
  const half = channels / 2;
  const frequencies = rotaryFrequencies(channels, config.ropeTheta, config.ropeScaling);
  const [cos, sin] = positions
    ? angleTables(positions.most, frequencies).map((table) => rowsAt(table, positions.at))
    : angleTables(tokens, frequencies);
  if (config.rowOrder === "hf") {
    const [left, right] = tf.split(x, 2, 3);
    return tf.concat(turnPairs(left, right, cos, sin), 3);
  }
  const pairs = tf.reshape(x, [batch * heads, tokens, half, 2]);
  const [even, odd] = tf.split(pairs, 2, 3).map((part) => tf.reshape(part, [batch, heads, tokens, half]));
  const turned = turnPairs(even, odd, cos, sin).map((part) =>
    tf.reshape(part, [batch * heads, tokens, half, 1]),
  );
  return tf.reshape(tf.concat(turned, 3), x.shape);
}

function turnPairs(first: Tensor, second: Tensor, cos: Tensor, sin: Tensor): Tensor[] {
  return [tf.sub(tf.mul(first, cos), tf.mul(second, sin)), tf.add(tf.mul(second, cos), tf.mul(first, sin))];
}

/** cos and sin [1, 1, T, C/2] of position * frequency. */
function angleTables(tokens: number, frequencies: Float64Array): [Tensor, Tensor] {
  const shape = [1, 1, tokens, frequencies.length];
  const { cos, sin } = anglesOf(tokens, frequencies);
  return [tf.tensor(cos, shape), tf.tensor(sin, shape)];
}

interface Angles {
  readonly of: string;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** The last ones: all blocks of a model turn by the same. */
let angles: Angles | undefined;

function anglesOf(tokens: number, frequencies: Float64Array): Angles {
  const of = `${tokens} ${frequencies}`;
  if (angles?.of === of) return angles;
  const half = frequencies.length;
  const all = Float64Array.from(
    { length: tokens * half },
    (_, i) => Math.floor(i / half) * frequencies[i % half],
  );
  angles = { of, cos: Float32Array.from(all, Math.cos), sin: Float32Array.from(all, Math.sin) };
  return angles;
}

/** [1, 1, P, C/2], int32 [T] -> [1, 1, T, C/2]. */
function rowsAt(table: Tensor, positions: Tensor): Tensor {
  return tf.gather(table, positions as tf.Tensor1D, 2);
}
