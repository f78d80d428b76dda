import { type QuantizedRows, quantizeRows, rowWeights } from "../../analysis/quantizedRows";
import { rowCount, rowOf } from "./browser/payload";

/**
 * Rows of weights, one per token of each head, with the patches' rows averaged over blocks of step × step patches: the
 * class token's row, then the blocks' row by row. With step 1 the same rows.
 */
export function coarseRows(rows: QuantizedRows, columns: number, step: number): QuantizedRows {
  if (step === 1) return rows;
  const tokens = rows.length;
  const grid = { rows: (tokens - 1) / columns, columns };
  const count = rowCount(grid, step);
  const heads = rows.greatest.length / tokens;
  const sums = new Float32Array(heads * count * tokens);
  const members = new Float32Array(count);
  for (let token = 0; token < tokens; token++) members[rowOf({ columns, step }, token)]++;
  for (let head = 0; head < heads; head++) {
    for (let token = 0; token < tokens; token++) {
      const row = rowOf({ columns, step }, token);
      const weights = rowWeights(rows, head * tokens + token);
      const start = (head * count + row) * tokens;
      for (let key = 0; key < tokens; key++) sums[start + key] += weights[key] / members[row];
    }
  }
  return quantizeRows(sums, tokens);
}
