import { LuvitError } from "../../core/errors";
import type { StoredDtype } from "../../core/hostTensor";
import { type ShortFloat, widenShortFloats } from "../../core/shortFloats";

/** Bytes per element of every stored type that can be read. */
export const bytesPerElement: Readonly<Record<StoredDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Types tensors can be written as. */
export type WritableDtype = "F32" | "F16" | "BF16";

/**
 * Little-endian stored numbers as float32. F16, BF16, I8, I16, U8 and BOOL are exact; F64, I64 and I32 are rounded to
 * the nearest float32. The result never shares memory with `bytes`.
 */
export function widenToFloat32(bytes: Uint8Array, dtype: StoredDtype): Float32Array {
  const width = bytesPerElement[dtype];
  if (bytes.length % width !== 0) {
    throw new LuvitError("bad-file", `${bytes.length} bytes are not a whole number of ${dtype} values`);
  }
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset } = aligned;
  const count = aligned.length / width;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, byteOffset, count).slice();
    case "F16":
    case "BF16":
      return widenShort(aligned, dtype);
    case "F64":
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case "I64":
      return widenInt64(new Uint32Array(buffer, byteOffset, count * 2));
    case "I32":
      return Float32Array.from(new Int32Array(buffer, byteOffset, count));
    case "I16":
      return Float32Array.from(new Int16Array(buffer, byteOffset, count));
    case "I8":
      return Float32Array.from(new Int8Array(buffer, byteOffset, count));
    case "U8":
      return Float32Array.from(aligned);
    case "BOOL":
      return Float32Array.from(aligned, (value) => (value === 0 ? 0 : 1));
  }
}

/** Float32 numbers as little-endian bytes of `dtype`, rounded to the nearest, ties to even. */
export function narrowFromFloat32(data: Float32Array, dtype: WritableDtype): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const narrow = new Uint16Array(data.length);
  const convert = dtype === "F16" ? halfBits : bfloatBits;
  for (let i = 0; i < bits.length; i++) narrow[i] = convert(bits[i]);
  return new Uint8Array(narrow.buffer);
}

/** The bfloat16 nearest to a float32, both as bit patterns. NaN stays NaN. */
export function bfloatBits(float32Bits: number): number {
  if ((float32Bits & 0x7fffffff) > 0x7f800000) return (float32Bits >>> 16) | 0x40;
  return ((float32Bits + 0x7fff + ((float32Bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The IEEE half nearest to a float32, both as bit patterns. Too large becomes infinity, NaN stays NaN. */
export function halfBits(float32Bits: number): number {
  const sign = (float32Bits >>> 16) & 0x8000;
  const magnitude = float32Bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // at most half the smallest subnormal
  return sign | subnormalHalf(magnitude);
}

/** Magnitudes between 2^-25 and 2^-14, in units of 2^-24. */
function subnormalHalf(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const quotient = mantissa >>> shift;
  const remainder = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const up = remainder > half || (remainder === half && (quotient & 1) === 1);
  return up ? quotient + 1 : quotient;
}

function widenShort(bytes: Uint8Array, dtype: ShortFloat): Float32Array {
  const out = new Float32Array(bytes.length / 2);
  widenShortFloats(bytes, dtype, out);
  return out;
}

function widenInt64(words: Uint32Array): Float32Array {
  const out = new Float32Array(words.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = (words[2 * i + 1] | 0) * 4294967296 + words[2 * i];
  return out;
}
