import { LuvitError } from "../core/errors";
import { checkOptions, shaped } from "../core/options";

/** Rows of weights between 0 and 1 in one byte each: weight ≈ level × greatest / 255, wrong by at most greatest / 510. */
export interface QuantizedRows {
  /** [rows × length], row-major. */
  readonly levels: Uint8Array;
  /** Greatest weight of each row, [rows]. */
  readonly greatest: Float32Array;
  /** Weights in a row. */
  readonly length: number;
}

/** @throws LuvitError("shape-mismatch") when the weights are no whole number of rows. */
export function quantizeRows(weights: Float32Array, length: number): QuantizedRows {
  const rows = weights.length / length;
  if (!Number.isInteger(rows)) {
    throw new LuvitError(
      "shape-mismatch",
      `quantizeRows: ${weights.length} weights are no whole number of rows of ${length}`,
    );
  }
  const levels = new Uint8Array(weights.length);
  const greatest = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * length, (row + 1) * length];
    let most = 0;
    for (let i = start; i < end; i++) if (weights[i] > most) most = weights[i];
    greatest[row] = most;
    if (most === 0) continue;
    for (let i = start; i < end; i++) levels[i] = Math.round((255 * weights[i]) / most);
  }
  return { levels, greatest, length };
}

/** One row as weights [length]. */
export function rowWeights(rows: QuantizedRows, row: number): Float32Array {
  checkOptions("rowWeights", shaped("quantized rows", "levels", "greatest", "length"), rows);
  const { levels, greatest, length } = rows;
  const unit = greatest[row] / 255;
  return Float32Array.from(levels.subarray(row * length, (row + 1) * length), (level) => level * unit);
}
