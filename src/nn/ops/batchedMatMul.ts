import { COLUMNS, createSimdMatMul, ROWS, type SimdMatMul } from "./simdMatMul";

/** A stack of matrices in host memory: `values` [batch, rows, columns], or [batch, columns, rows] if `transposed`. */
export interface MatrixBatch {
  values: Float32Array;
  rows: number;
  columns: number;
  transposed: boolean;
}

let kernel: SimdMatMul | undefined;

/** product [batch, M, N] = left [batch, M, K] times right [batch, K, N], either operand stored transposed if it says so. */
export function multiplyBatches(
  left: MatrixBatch,
  right: MatrixBatch,
  product: Float32Array,
  batch: number,
): void {
  kernel ??= createSimdMatMul();
  const [m, k, n] = [left.rows, left.columns, right.columns];
  const paddedM = Math.ceil(m / ROWS) * ROWS;
  const paddedN = Math.ceil(n / COLUMNS) * COLUMNS;
  const b = paddedM * k;
  const c = b + k * paddedN;
  const heap = kernel.memory(c + paddedM * paddedN);
  heap.fill(0, 0, c);
  for (let i = 0; i < batch; i++) {
    copyIn(left, i, heap, 0, k);
    copyIn(right, i, heap, b, paddedN);
    kernel.multiply(0, b, c, paddedM, k, paddedN);
    for (let row = 0; row < m; row++) {
      product.set(heap.subarray(c + row * paddedN, c + row * paddedN + n), (i * m + row) * n);
    }
  }
}

/** Writes one matrix row-major, with `stride` floats from row to row. */
function copyIn(
  matrix: MatrixBatch,
  index: number,
  heap: Float32Array,
  offset: number,
  stride: number,
): void {
  const { values, rows, columns, transposed } = matrix;
  const start = index * rows * columns;
  if (!transposed && stride === columns) {
    heap.set(values.subarray(start, start + rows * columns), offset);
    return;
  }
  const [rowStep, columnStep] = transposed ? [1, rows] : [columns, 1];
  for (let row = 0; row < rows; row++) {
    let from = start + row * rowStep;
    const target = offset + row * stride;
    for (let column = 0; column < columns; column++, from += columnStep) heap[target + column] = values[from];
  }
}
