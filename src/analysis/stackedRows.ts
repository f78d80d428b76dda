/** Rows of one length, one after another: [N, D]. */
export function stackedRows(rows: readonly Float32Array[]): { values: Float32Array; dim: number } {
  const dim = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * dim);
  for (const [i, row] of rows.entries()) values.set(row, i * dim);
  return { values, dim };
}
