import type { I32Local, Local, Locals } from "../../../core/wasm/function";
import { bytes, type Code, type I32, i32, shorts, type V128 } from "../../../core/wasm/values";

/*
 * The inverse DCT that libjpeg calls "islow", in its own integers: columns first, with 13 bits of constants and 2 more
 * bits kept between the passes. What it adds up before multiplying is multiplied out here, which changes no bit, so that
 * pairs of rows meet pairs of constants. Reference: Loeffler, Ligtenberg & Moschytz 1989; IJG jidctint.c.
 *
 * Vectors wait in `scratch` and not in locals, of which there would be more at a time than registers.
 */

const CONSTANT_BITS = 13;
const KEPT_BITS = 2;
const fix = (value: number) => Math.sign(value) * Math.round(Math.abs(value) * (1 << CONSTANT_BITS));
const one = 1 << CONSTANT_BITS;
/** Bytes of `scratch`. */
export const SCRATCH_BYTES = 16 * 12;

/** What rows (0, 4), then rows (2, 6), give to the four outputs of the even part before they are crossed. */
const c6 = fix(0.5411961);
const even = {
  sum: [one, one],
  difference: [one, -one],
  outer: [c6 + fix(0.765366865), c6],
  inner: [c6, c6 - fix(1.847759065)],
};

/** What rows (1, 5), then rows (3, 7), give to the four outputs of the odd part, from the outermost in. */
const [z1, z2, z3, z4, z5] = [-0.899976223, -2.562915447, -1.96157056, -0.390180644, 1.175875602].map(fix);
const odd = [
  [
    [fix(1.50132111) + z1 + z4 + z5, z4 + z5],
    [z5, z1 + z5],
  ],
  [
    [z5, z2 + z5],
    [fix(3.072711026) + z2 + z3 + z5, z3 + z5],
  ],
  [
    [z4 + z5, fix(2.053119869) + z2 + z4 + z5],
    [z2 + z5, z5],
  ],
  [
    [z1 + z5, z5],
    [z3 + z5, fix(0.298631336) + z1 + z3 + z5],
  ],
];

type Vector = Local<V128>;

const pairOf = ([a, b]: readonly number[]) => shorts([a, b, a, b, a, b, a, b]);

/** Vectors that differ in the highest of three bits of their index become neighbors lane by lane, in two halves. */
function shuffled(from: readonly Vector[], to: readonly Vector[], width: number): Code[] {
  const half = from.length / 2;
  return from
    .slice(0, half)
    .flatMap((vector, k) =>
      [0, 1].map((upper) => to[2 * k + upper].set(vector.inTurn(from[k + half], width, upper))),
    );
}

/** The vectors of one inverse transform, and its code. */
export class InverseDct {
  /** Rows or columns n and n + 4 in pairs, of four columns or rows. */
  private readonly pairs: readonly Vector[];
  private readonly evens: readonly Vector[];
  private readonly odds: readonly Vector[];
  private readonly first: readonly Vector[];
  private readonly second: readonly Vector[];

  constructor(
    locals: Locals,
    private readonly scratch: I32,
  ) {
    const vectors = (length: number) => Array.from({ length }, () => locals.v128());
    [this.pairs, this.evens, this.odds] = [vectors(4), vectors(4), vectors(4)];
    [this.first, this.second] = [vectors(8), vectors(8)];
  }

  /** Coefficients times quantization (both i16 [8, 8]) to 8 x 8 bytes at `target`, which ends up a block further down. */
  code(coefficients: I32, quantization: I32, target: I32Local, stride: I32): Code[] {
    const { pairs, first, second } = this;
    const row = (i: number) => coefficients.loadVector(16 * i).timesShorts(quantization.loadVector(16 * i));
    const [lower, upper] = [first.slice(0, 4), first.slice(4)];
    return [
      ...pairs.flatMap((pair, i) => [
        lower[0].set(row(i)),
        upper[0].set(row(i + 4)),
        pair.set(lower[0].inTurn(upper[0], 2, 0)),
        this.keep(i, lower[0].inTurn(upper[0], 2, 1)),
      ]),
      ...this.pass(CONSTANT_BITS - KEPT_BITS, (i, value) => this.keep(4 + i, value)),
      ...pairs.map((pair, i) => pair.set(this.kept(i))),
      ...this.pass(CONSTANT_BITS - KEPT_BITS, (i, value) => upper[i].set(value)),
      ...lower.map((vector, i) => vector.set(this.kept(4 + i))),
      ...this.turned(),
      ...second.slice(4).map((vector, i) => this.keep(i, vector)),
      ...pairs.map((pair, i) => pair.set(second[i])),
      ...this.pass(CONSTANT_BITS + KEPT_BITS + 3, (i, value) => this.keep(4 + i, value)),
      ...pairs.map((pair, i) => pair.set(this.kept(i))),
      ...this.pass(CONSTANT_BITS + KEPT_BITS + 3, (i, value) => upper[i].set(value)),
      ...this.stored(upper, target, stride),
    ];
  }

  private keep = (place: number, value: V128) => this.scratch.storeVector(value, 16 * place);
  private kept = (place: number) => this.scratch.loadVector(16 * place);

  /** Outputs n and n + 4 of `pairs`, shifted right with rounding and next to each other as 16-bit lanes. */
  private pass(shift: number, write: (index: number, value: V128) => Code): Code[] {
    const { pairs, evens, odds } = this;
    const [in04, in15, in26, in37] = pairs;
    const [e0, e1, e2, e3] = evens;
    const [outer, inner] = odds;
    const rounding = i32(1 << (shift - 1)).inLanes();
    const sum = (k: number) => evens[k].plus(odds[k]).shiftedRight(shift);
    const difference = (k: number) => evens[k].minus(odds[k]).shiftedRight(shift);
    return [
      outer.set(in26.dot(pairOf(even.outer))),
      e3.set(in04.dot(pairOf(even.sum)).plus(rounding)),
      e0.set(e3.plus(outer)),
      e3.set(e3.minus(outer)),
      inner.set(in26.dot(pairOf(even.inner))),
      e2.set(in04.dot(pairOf(even.difference)).plus(rounding)),
      e1.set(e2.plus(inner)),
      e2.set(e2.minus(inner)),
      ...[0, 3, 1, 2].map((k) => odds[k].set(in15.dot(pairOf(odd[k][0])).plus(in37.dot(pairOf(odd[k][1]))))),
      ...[0, 3, 1, 2].map((k) => write(k, sum(k).narrowedToShorts(difference(3 - k)))),
    ];
  }

  /** From pairs of rows in 16-bit lanes (row n, row n + 4) to pairs of columns. */
  private turned(): Code[] {
    const { first, second } = this;
    const halvesNextToEachOther = [0, 4, 1, 5, 2, 6, 3, 7].map((i) => first[i]);
    return [
      ...shuffled(halvesNextToEachOther, second, 2),
      ...shuffled(second, first, 2),
      ...shuffled(first, second, 2),
    ];
  }

  /** Bytes, moved to 0 … 255, row by row. */
  private stored(upper: readonly Vector[], target: I32Local, stride: I32): Code[] {
    const middle = bytes(Array(16).fill(128));
    const [four, others] = [this.first.slice(0, 4), this.evens];
    return [
      ...four.map((vector, i) =>
        vector.set(
          this.kept(4 + i)
            .narrowedToSignedBytes(upper[i])
            .plusBytes(middle),
        ),
      ),
      ...shuffled(four, others, 1),
      ...shuffled(others, four, 1),
      ...shuffled([four[0], four[2], four[1], four[3]], others, 4),
      ...others.flatMap((rows) =>
        ([0, 1] as const).flatMap((half) => [target.storeHalf(rows, half), target.set(target.plus(stride))]),
      ),
    ];
  }
}
