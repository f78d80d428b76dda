import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions, flag, list, object, optionsOf, shaped } from "../../core/options";

/** Features of examples, a row each. */
export interface Representation {
  /** [N × dim]. */
  readonly values: ArrayLike<number>;
  readonly dim: number;
}

export interface CkaOptions {
  /**
   * The unbiased estimator of the Hilbert-Schmidt independence criterion in all three places, for fewer examples than
   * channels, where plain CKA tends to 1; may be negative. At least four examples. Default false.
   */
  debiased?: boolean;
}

const ckaOptions = optionsOf<CkaOptions>({}, { debiased: flag });
const given = object(
  { representations: list(shaped<Representation>("features { values, dim }", "values", "dim"), 1) },
  {},
);

/**
 * Linear centered kernel alignment of every pair of representations of the same examples, [R × R]: how alike what layers, or
 * models, know of them is; 1 on the diagonal. Widths may differ. What a row is (an image, a token) is for the caller to
 * say: the two answer different questions. In double precision.
 * Reference: Kornblith et al. 2019, section 3; google-research representation_similarity; Song et al. 2007 for `debiased`.
 *
 * @throws LuvitError("bad-argument") for numbers of examples that differ, or are too few; ("non-finite") for NaN or
 * infinities. Where all examples are the same nothing is known, and NaN is given back.
 *
 * @example
 * const one = { values: Float32Array.of(1, 2, 3, 5), dim: 1 };
 * const other = { values: Float32Array.of(2, 4, 6, 10), dim: 1 };
 * console.log(luvit.analysis.cka([one, other])); // all 1
 */
export function cka(representations: readonly Representation[], options: CkaOptions = {}): Float64Array {
  checkOptions("cka", given, { representations });
  checkOptions("cka", ckaOptions, options);
  const { debiased = false } = options;
  const counts = representations.map(({ values, dim }) => values.length / dim);
  const least = debiased ? 4 : 2;
  if (counts.some((count) => count !== counts[0] || !Number.isInteger(count) || count < least)) {
    throw new LuvitError(
      "bad-argument",
      `cka: expected the same examples everywhere, at least ${least}, got ${counts.join(", ")}`,
    );
  }
  const broken = representations.flatMap(({ values }, i) =>
    Array.prototype.every.call(values, Number.isFinite) ? [] : [`representation ${i}`],
  );
  if (broken.length > 0)
    throw new LuvitError("non-finite", `cka: NaN or infinities in\n${listOffenders(broken)}`);
  const [n] = counts;
  const grams = representations.map((one) => prepared(gramOf(one, n), n, debiased));
  const criterion = debiased ? unbiasedHsic : innerProduct;
  const own = grams.map((gram) => criterion(gram, gram, n));
  const size = grams.length;
  return Float64Array.from({ length: size * size }, (_, i) => {
    const [a, b] = [Math.floor(i / size), i % size];
    return criterion(grams[a], grams[b], n) / Math.sqrt(own[a] * own[b]);
  });
}

/** [n × n] of features with centered columns. */
function gramOf({ values, dim }: Representation, n: number): Float64Array {
  const centered = Float64Array.from(values);
  for (let d = 0; d < dim; d++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += centered[i * dim + d];
    for (let i = 0; i < n; i++) centered[i * dim + d] -= sum / n;
  }
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = centered.subarray(i * dim, (i + 1) * dim);
    for (let j = i; j < n; j++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += row[d] * centered[j * dim + d];
      gram[i * n + j] = sum;
      gram[j * n + i] = sum;
    }
  }
  return gram;
}

function prepared(gram: Float64Array, n: number, debiased: boolean): Float64Array {
  if (debiased) for (let i = 0; i < n; i++) gram[i * n + i] = 0;
  return gram;
}

function innerProduct(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Up to a factor that cancels; diagonals are zero. */
function unbiasedHsic(a: Float64Array, b: Float64Array, n: number): number {
  const sums = (gram: Float64Array) => {
    const rows = new Float64Array(n);
    for (let i = 0; i < gram.length; i++) rows[Math.floor(i / n)] += gram[i];
    return rows;
  };
  const [rowsOfA, rowsOfB] = [sums(a), sums(b)];
  const total = (rows: Float64Array) => rows.reduce((x, y) => x + y, 0);
  const means = (total(rowsOfA) * total(rowsOfB)) / ((n - 1) * (n - 2));
  return innerProduct(a, b) + means - (2 / (n - 2)) * innerProduct(rowsOfA, rowsOfB);
}
