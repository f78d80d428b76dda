import { LOW_BITS, WEIGHT_BITS } from "../kernels/resampleCode";

/**
 * How near to a whole number, in units of 2^-22, a sum of four weighed bytes leaves open what Pillow's byte is. Weights
 * are rounded to such units, but the largest is what makes their sum 1: the errors cancel out in what all four bytes have
 * in common, 127.5 say, and so are below 127.5 (3 x 0.5 + 1.5).
 */
export const MARGIN = 512;
const ONE = 1 << WEIGHT_BITS;
const HALF_LOW = 1 << (LOW_BITS - 1);

/**
 * Puts the weights of Pillow's cubic (a = -1), at a share between the second and the third of four pixels, into four
 * numbers `apart`: of the first two pixels the high halves, then the low ones, and the same of the last two.
 */
export function putWeights(share: number, numbers: Int32Array, at: number, apart: number): void {
  const [square, cube] = [share * share, share * share * share];
  const first = Math.round(ONE * (2 * square - share - cube));
  const last = Math.round(ONE * (cube - square));
  const nearer = share < 0.5;
  const smaller = Math.round(ONE * (nearer ? share + square - cube : 1 - 2 * square + cube));
  const larger = ONE - first - last - smaller;
  putPair(first, nearer ? larger : smaller, numbers, at, apart);
  putPair(nearer ? smaller : larger, last, numbers, at + 2 * apart, apart);
}

function putPair(a: number, b: number, numbers: Int32Array, at: number, apart: number): void {
  const [highA, highB] = [(a + HALF_LOW) >> LOW_BITS, (b + HALF_LOW) >> LOW_BITS];
  numbers[at] = (highA & 0xffff) | (highB << 16);
  numbers[at + apart] = ((a - (highA << LOW_BITS)) & 0xffff) | ((b - (highB << LOW_BITS)) << 16);
}

/**
 * Finds where values that only grow, or only shrink, with their position lie in 0 <= value < limit. What was found last
 * is where it begins to look: neighboring rows differ little.
 */
export class SpanFinder {
  private start = 0;
  private end = 0;

  constructor(
    private readonly length: number,
    private readonly limit: number,
    private readonly growing: boolean,
  ) {}

  find(value: (position: number) => number): { start: number; end: number } {
    const { limit, growing } = this;
    this.start = this.firstWhere(this.start, (x) => (growing ? value(x) >= 0 : value(x) < limit));
    this.end = this.firstWhere(this.end, (x) => (growing ? value(x) >= limit : value(x) < 0));
    return { start: Math.min(this.start, this.end), end: this.end };
  }

  /** The first position of which a predicate holds, as it does of all later ones; the length where there is none. */
  private firstWhere(guess: number, holds: (position: number) => boolean): number {
    let at = guess;
    while (at > 0 && holds(at - 1)) at--;
    while (at < this.length && !holds(at)) at++;
    return at;
  }
}
