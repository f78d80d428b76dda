import { Rng } from "../../core/rng";

/** Vectors beside those asked for: the more, the faster the subspace turns. */
const BESIDE = 16;
const MOST_ROUNDS = 2000;

/**
 * The `count` largest eigenvalues of a symmetric matrix [n × n] without negative ones, with eigenvectors [count × n] of
 * length 1: subspace iteration with a Rayleigh-Ritz step, until the values stand still.
 * Reference: Golub & Van Loan, Matrix Computations, section 8.2.
 */
export function symmetricEigen(
  matrix: Float64Array,
  n: number,
  count: number,
): { values: Float64Array; vectors: Float64Array } {
  const width = Math.min(n, count + BESIDE);
  const rng = new Rng(0).fork("eigenvectors");
  let basis = Float64Array.from({ length: width * n }, () => rng.between(-1, 1));
  let values = new Float64Array(width);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    orthonormalize(basis, n, width);
    const image = timesRows(matrix, basis, n, width);
    const small = new Float64Array(width * width);
    for (let a = 0; a < width; a++) {
      for (let b = 0; b < width; b++) {
        for (let i = 0; i < n; i++) small[a * width + b] += basis[a * n + i] * image[b * n + i];
      }
    }
    const turned = jacobi(small, width);
    const before = values;
    values = turned.values;
    const still = values
      .subarray(0, count)
      .every((x, k) => Math.abs(x - before[k]) <= 1e-14 * (values[0] || 1));
    const last = width === n || (round > 8 && still);
    basis = combine(turned.vectors, last ? basis : image, n, width);
    if (last) break;
  }
  return { values: values.slice(0, count), vectors: basis.slice(0, count * n) };
}

/** Gram-Schmidt, twice over; a vector that vanishes is replaced by a unit vector. */
function orthonormalize(rows: Float64Array, n: number, count: number): void {
  for (let k = 0; k < count; k++) {
    const row = rows.subarray(k * n, (k + 1) * n);
    for (let attempt = 0; attempt <= n; attempt++) {
      const length = Math.sqrt(dot(row, row));
      if (length > 0) for (let i = 0; i < n; i++) row[i] /= length;
      for (let pass = 0; pass < 2; pass++) {
        for (let j = 0; j < k; j++) {
          const other = rows.subarray(j * n, (j + 1) * n);
          const along = dot(row, other);
          for (let i = 0; i < n; i++) row[i] -= along * other[i];
        }
      }
      const left = Math.sqrt(dot(row, row));
      if (left > 1e-8) {
        for (let i = 0; i < n; i++) row[i] /= left;
        break;
      }
      row.fill(0);
      row[(k + attempt) % n] = 1;
    }
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Each row times the symmetric matrix. */
function timesRows(matrix: Float64Array, rows: Float64Array, n: number, count: number): Float64Array {
  const result = new Float64Array(count * n);
  for (let k = 0; k < count; k++) {
    const row = rows.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) result[k * n + i] = dot(matrix.subarray(i * n, (i + 1) * n), row);
  }
  return result;
}

/** weights [count × count], rows [count × n] -> weights · rows. */
function combine(weights: Float64Array, rows: Float64Array, n: number, count: number): Float64Array {
  const result = new Float64Array(count * n);
  for (let k = 0; k < count; k++) {
    for (let j = 0; j < count; j++) {
      const weight = weights[k * count + j];
      for (let i = 0; i < n; i++) result[k * n + i] += weight * rows[j * n + i];
    }
  }
  return result;
}

/** All eigenvalues of a small symmetric matrix, largest first, eigenvectors as rows. Reference: the same, section 8.5. */
function jacobi(given: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = given.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off += a[p * n + q] ** 2;
    if (off < 1e-30 * dot(a, a)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  const vectors = new Float64Array(n * n);
  for (const [place, i] of order.entries()) vectors.set(v.subarray(i * n, (i + 1) * n), place * n);
  return { values: Float64Array.from(order, (i) => a[i * n + i]), vectors };
}

function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const between = a[p * n + q];
  if (between === 0) return;
  const slope = (a[q * n + q] - a[p * n + p]) / (2 * between);
  const tangent = Math.sign(slope || 1) / (Math.abs(slope) + Math.sqrt(slope * slope + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  for (let k = 0; k < n; k++) {
    const [x, y] = [a[k * n + p], a[k * n + q]];
    a[k * n + p] = cosine * x - sine * y;
    a[k * n + q] = sine * x + cosine * y;
  }
  for (let k = 0; k < n; k++) {
    const [x, y] = [a[p * n + k], a[q * n + k]];
    a[p * n + k] = cosine * x - sine * y;
    a[q * n + k] = sine * x + cosine * y;
    const [s, t] = [v[p * n + k], v[q * n + k]];
    v[p * n + k] = cosine * s - sine * t;
    v[q * n + k] = sine * s + cosine * t;
  }
}
