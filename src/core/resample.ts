/*
 * Resizing of numbers as PyTorch does it, without antialiasing: not what Pillow does to images. Each axis is a small
 * matrix, so that graphs can do the same in two products, and gradients with its transpose.
 */

/**
 * Bilinear weights of one axis, [outputs, inputs]: centers of pixels on centers of pixels, the border repeated.
 *
 * Reference: torch.nn.functional.interpolate, mode "bilinear", align_corners false.
 */
export function bilinearWeights(inputs: number, outputs: number): Float32Array {
  const weights = new Float32Array(outputs * inputs);
  for (let i = 0; i < outputs; i++) {
    const place = Math.max(0, (i + 0.5) * (inputs / outputs) - 0.5);
    const first = Math.min(inputs - 1, Math.floor(place));
    const next = Math.min(inputs - 1, first + 1);
    weights[i * inputs + first] += 1 - (place - first);
    weights[i * inputs + next] += place - first;
  }
  return weights;
}

/** For each of `outputs` positions the input that torch.nn.functional.interpolate takes, mode "nearest". */
export function nearestIndices(inputs: number, outputs: number): Int32Array {
  const scale = Math.fround(inputs / outputs);
  return Int32Array.from({ length: outputs }, (_, i) =>
    Math.min(inputs - 1, Math.floor(Math.fround(i * scale))),
  );
}

/** Planes [count, height, width] resized bilinearly to [count, rows, columns]. */
export function resizePlanes(
  planes: ArrayLike<number>,
  height: number,
  width: number,
  rows: number,
  columns: number,
): Float32Array {
  const [down, across] = [bilinearAxis(height, rows), bilinearAxis(width, columns)];
  const count = planes.length / (height * width);
  const result = new Float32Array(count * rows * columns);
  let at = 0;
  for (let plane = 0; plane < count; plane++) {
    const start = plane * height * width;
    for (let y = 0; y < rows; y++) {
      const [top, bottom] = [start + down.first[y] * width, start + down.next[y] * width];
      for (let x = 0; x < columns; x++) {
        const [left, right, share] = [across.first[x], across.next[x], across.share[x]];
        const above = planes[top + left] + share * (planes[top + right] - planes[top + left]);
        const below = planes[bottom + left] + share * (planes[bottom + right] - planes[bottom + left]);
        result[at++] = above + down.share[y] * (below - above);
      }
    }
  }
  return result;
}

/** The two inputs of every output, and the share of the second. */
export function bilinearAxis(inputs: number, outputs: number) {
  const axis = {
    first: new Int32Array(outputs),
    next: new Int32Array(outputs),
    share: new Float64Array(outputs),
  };
  for (let i = 0; i < outputs; i++) {
    const place = Math.max(0, (i + 0.5) * (inputs / outputs) - 0.5);
    axis.first[i] = Math.min(inputs - 1, Math.floor(place));
    axis.next[i] = Math.min(inputs - 1, axis.first[i] + 1);
    axis.share[i] = place - axis.first[i];
  }
  return axis;
}
