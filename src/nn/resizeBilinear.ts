import { bilinearWeights } from "../core/resample";
import { type Tensor, tf } from "../core/tf";

/**
 * Bilinear resize of maps [B, H, W, C] -> [B, rows, columns, C], centers of pixels on centers of pixels: two products
 * with weights made on the host, because tfjs's own kernel has no gradient for this rule.
 *
 * Reference: torch.nn.functional.interpolate, mode "bilinear", align_corners false.
 */
export function resizeBilinear(maps: Tensor, rows: number, columns: number): Tensor {
  const [batch, height, width, channels] = maps.shape as [number, number, number, number];
  const tall = alongFirst(tf.transpose(maps, [1, 0, 2, 3]), height, rows);
  const wide = alongFirst(
    tf.transpose(tf.reshape(tall, [rows, batch, width, channels]), [2, 1, 0, 3]),
    width,
    columns,
  );
  return tf.transpose(tf.reshape(wide, [columns, batch, rows, channels]), [1, 2, 0, 3]);
}

/** x [from, ...] -> [to, the rest]. */
function alongFirst(x: Tensor, from: number, to: number): Tensor {
  const weights = tf.tensor2d(bilinearWeights(from, to), [to, from]);
  return tf.matMul(weights, tf.reshape(x, [from, -1]) as tf.Tensor2D);
}
