/** Powers of two that float16 reaches: the least normal number's and the greatest's. */
const [LEAST, GREATEST] = [-14, 15];
const MANTISSA_BITS = 10;
const BIAS = 15;
const [INFINITE, NOT_A_NUMBER] = [0x7c00, 0x7e00];

/** The bits of the float16 nearest to a number, of two as near the even one. Reference: IEEE 754-2019, binary16. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return NOT_A_NUMBER;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size === 0) return sign;
  if (size === Number.POSITIVE_INFINITY) return sign | INFINITE;
  const exponent = Math.max(LEAST, Math.floor(Math.log2(size)));
  const steps = roundHalfEven(size / 2 ** (exponent - MANTISSA_BITS));
  // A mantissa that was rounded up to the next power of two carries into the exponent.
  const bits = steps + (exponent + BIAS - 1) * 2 ** MANTISSA_BITS;
  return sign | (exponent > GREATEST ? INFINITE : Math.min(bits, INFINITE));
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
