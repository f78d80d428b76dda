import { LuvitError } from "../core/errors";
import { checkOptions, object, whole } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";
import type { PatchGrid } from "./positionEmbedding";

const count = whole(1, 1_000_000);
const sizes = object(
  { patch: count },
  { channels: count, grid: object({ rows: count, columns: count }, {}) },
);

/**
 * Cuts images into patches, rows of patches first. images [B, C, H, W] -> [B, L, C*p*p] in the order
 * (channel, row, column), the order in which a torch patch-embedding convolution flattens its weight.
 */
export function patchesForEmbedding(images: Tensor, patch: number): Tensor {
  const [batch, channels, height, width] = images.shape as [number, number, number, number];
  const [rows, columns] = [height / patch, width / patch];
  const strips = tf.reshape(images, [batch * channels * rows, patch, columns, patch]);
  const cells = tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [
    batch,
    channels,
    rows * columns,
    patch * patch,
  ]);
  return tf.reshape(tf.transpose(cells, [0, 2, 1, 3]), [batch, rows * columns, channels * patch * patch]);
}

/**
 * MAE's `patchify`: images [B, C, H, W] -> [B, L, p*p*C] in the order (row, column, channel), channel fastest. The
 * order of the reconstruction target, different from the embedding's. Reference: mae/models_mae.py.
 *
 * @throws LuvitError("shape-mismatch" | "bad-argument")
 * @example
 * const patches = luvit.nn.patchify(luvit.tf.zeros([1, 3, 64, 64]), 8); // [1, 64, 192]
 */
export function patchify(images: Tensor, patch: number): Tensor {
  checkOptions("patchify", tensorField, images);
  checkOptions("patchify", sizes, { patch });
  const [height, width] = images.shape.slice(2);
  if (images.rank !== 4 || height % patch !== 0 || width % patch !== 0)
    throw new LuvitError(
      "shape-mismatch",
      `patchify: images [${images.shape}] cannot be cut into patches of ${patch}`,
    );
  const channels = images.shape[1]!;
  const cells = patchesForEmbedding(images, patch);
  const [batch, tokens, size] = cells.shape as [number, number, number];
  const split = tf.reshape(cells, [batch * tokens, channels, patch * patch]);
  return tf.reshape(tf.transpose(split, [0, 2, 1]), [batch, tokens, size]);
}

/**
 * Inverse of `patchify`: [B, L, p*p*C] -> [B, C, H, W]. `grid` says how many rows and columns the patches lie in; left
 * out, they are a square.
 *
 * @throws LuvitError("shape-mismatch" | "bad-argument")
 * @example
 * const image = luvit.nn.unpatchify(luvit.tf.zeros([1, 64, 192]), 8); // [1, 3, 64, 64]
 */
export function unpatchify(patches: Tensor, patch: number, channels = 3, grid?: PatchGrid): Tensor {
  checkOptions("unpatchify", tensorField, patches);
  checkOptions("unpatchify", sizes, { patch, channels, grid });
  const [batch, tokens, numbers] = patches.shape as [number, number, number];
  const side = Math.round(Math.sqrt(tokens));
  const { rows, columns } = grid ?? { rows: side, columns: side };
  if (patches.rank !== 3 || rows * columns !== tokens || numbers !== patch * patch * channels) {
    const count = grid ? `${rows} * ${columns}` : "a square number";
    const expected = `[B, ${count}, ${patch} * ${patch} * ${channels}]`;
    throw new LuvitError(
      "shape-mismatch",
      `unpatchify: expected patches ${expected}, got [${patches.shape}]`,
    );
  }
  const split = tf.transpose(tf.reshape(patches, [batch * tokens, patch * patch, channels]), [0, 2, 1]);
  const cells = tf.transpose(tf.reshape(split, [batch, tokens, channels, patch * patch]), [0, 2, 1, 3]);
  const strips = tf.reshape(cells, [batch * channels * rows, columns, patch, patch]);
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, channels, rows * patch, columns * patch]);
}
