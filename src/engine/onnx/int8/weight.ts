/**
 * A weight [out, in] in integers of one byte: W ≈ scales[out] q, symmetric, one scale per output.
 *
 * q stays within ±64, seven bits: processors without VNNI add pairs of products of a row's unsigned bytes and these in
 * sixteen bits, 2 * 255 * 64 < 2^15, and would cut larger sums off. Each weight is off by at most half its scale,
 * max|W of that output| / 128; for normally distributed weights the root mean square error is 2 % of theirs.
 */
export interface Int8Weight {
  readonly scales: Float32Array;
  /** [out, in], for the gradient towards the input; undefined where nothing asks for it. */
  readonly rows?: Int8Array;
  /** [in, out], for the product itself; undefined where nothing asks for it. */
  readonly columns?: Int8Array;
}

/** Largest |q|. */
const MOST = 64;
/** Outputs transposed together: a cache line of bytes. */
const BAND = 64;

/** Layouts to make of a weight. */
export interface Int8Layouts {
  rows: boolean;
  columns: boolean;
}

export function quantizeWeight(values: Float32Array, outputs: number, layouts: Int8Layouts): Int8Weight {
  const inputs = values.length / outputs;
  const scales = new Float32Array(outputs);
  const rows = layouts.rows ? new Int8Array(values.length) : undefined;
  const columns = layouts.columns ? new Int8Array(values.length) : undefined;
  const band = new Int8Array(BAND * inputs);
  for (let first = 0; first < outputs; first += BAND) {
    const count = Math.min(BAND, outputs - first);
    for (let i = 0; i < count; i++) {
      scales[first + i] = quantizeRow(values, (first + i) * inputs, band, i * inputs, inputs);
    }
    rows?.set(band.subarray(0, count * inputs), first * inputs);
    if (columns) putColumns(band, columns, { first, count, inputs, outputs });
  }
  return { scales, rows, columns };
}

/** W as the integers stand for it, [out * in]. */
export function dequantizeWeight({ scales, rows, columns }: Int8Weight): Float32Array {
  const outputs = scales.length;
  const integers = (rows ?? columns)!;
  const inputs = integers.length / outputs;
  const at = rows ? (o: number, i: number) => o * inputs + i : (o: number, i: number) => i * outputs + o;
  const values = new Float32Array(integers.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) values[o * inputs + i] = scales[o] * integers[at(o, i)];
  }
  return values;
}

/** Quantizes one output's weights and gives back their scale. */
function quantizeRow(
  values: Float32Array,
  from: number,
  integers: Int8Array,
  to: number,
  length: number,
): number {
  let largest = 0;
  let total = 0;
  for (let i = from; i < from + length; i++) {
    const size = values[i] < 0 ? -values[i] : values[i];
    if (size > largest) largest = size;
    total += values[i];
  }
  const scale = Math.fround(largest / MOST + 0 * total); // not a number where one of them is none
  const inverse = scale > 0 ? 1 / scale : 0;
  for (let i = 0; i < length; i++) {
    // Floor of a positive number; and the scale, rounded, may put the largest a hair above MOST.
    const shifted = (values[from + i] * inverse + (MOST + 0.5)) | 0;
    integers[to + i] = Math.min(shifted, 2 * MOST) - MOST;
  }
  return scale;
}

/** Puts a band [count, in] of rows where they belong in [in, out]. */
function putColumns(
  band: Int8Array,
  columns: Int8Array,
  { first, count, inputs, outputs }: { first: number; count: number; inputs: number; outputs: number },
): void {
  for (let i = 0; i < inputs; i++) {
    const place = i * outputs + first;
    for (let o = 0; o < count; o++) columns[place + o] = band[o * inputs + i];
  }
}
