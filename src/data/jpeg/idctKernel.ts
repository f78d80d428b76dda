import type { I32Local, Local, Locals } from "../../core/wasm/function";
import { bytes, type Code, type I32, i32, shorts, type V128 } from "../../core/wasm/values";

/*
 * The inverse DCT that libjpeg calls "islow", in its own integers: columns first, with 13 bits of constants and 2 more
 * bits kept between the passes. What it adds up before multiplying is multiplied out here, which changes no bit, so that
 * pairs of rows meet pairs of constants. Reference: Loeffler, Ligtenberg & Moschytz 1989; IJG jidctint.c.
 */

const CONSTANT_BITS = 13;
const KEPT_BITS = 2;
const fix = (value: number) => Math.sign(value) * Math.round(Math.abs(value) * (1 << CONSTANT_BITS));
const one = 1 << CONSTANT_BITS;

/** What rows (0, 4), then rows (2, 6), give to the four outputs of the even part before they are crossed. */
const c6 = fix(0.5411961);
const even = {
  sum: [one, one],
  difference: [one, -one],
  outer: [c6 + fix(0.765366865), c6],
  inner: [c6, c6 - fix(1.847759065)],
};

/** What rows 1, 3, 5, 7 give to the four outputs of the odd part, from the outermost in. */
const [z1, z2, z3, z4, z5] = [-0.899976223, -2.562915447, -1.96157056, -0.390180644, 1.175875602].map(fix);
const odd = [
  [fix(1.50132111) + z1 + z4 + z5, z5, z4 + z5, z1 + z5],
  [z5, fix(3.072711026) + z2 + z3 + z5, z2 + z5, z3 + z5],
  [z4 + z5, z2 + z5, fix(2.053119869) + z2 + z4 + z5, z5],
  [z1 + z5, z3 + z5, z5, fix(0.298631336) + z1 + z3 + z5],
];

type Vector = Local<V128>;

const pairOf = ([a, b]: readonly number[]) => shorts([a, b, a, b, a, b, a, b]);

/** Lanes of so many bytes from two vectors in turn: of their lower halves, or of their upper ones. */
function inTurn(a: V128, b: V128, width: number, upper: number): V128 {
  const positions = Array.from({ length: 16 }, (_, i) => {
    const lane = Math.floor(i / width);
    return 16 * (lane % 2) + 8 * upper + width * (lane >> 1) + (i % width);
  });
  return a.mixed(b, positions);
}

/** The vectors of one inverse transform, and its code. */
export class InverseDct {
  private readonly rows: readonly Vector[];
  private readonly others: readonly Vector[];
  private readonly pairs: readonly Vector[];
  private readonly evens: readonly Vector[];
  private readonly sum: Vector;

  constructor(locals: Locals) {
    const vectors = (length: number) => Array.from({ length }, () => locals.v128());
    [this.rows, this.others, this.pairs, this.evens] = [vectors(8), vectors(8), vectors(4), vectors(4)];
    this.sum = locals.v128();
  }

  /** Coefficients times quantization (both i16 [8, 8]) to 8 x 8 bytes at `target`, which ends up a block further down. */
  code(coefficients: I32, quantization: I32, target: I32Local, stride: I32): Code[] {
    const { rows } = this;
    return [
      ...rows.map((row, i) =>
        row.set(coefficients.loadVector(16 * i).timesShorts(quantization.loadVector(16 * i))),
      ),
      ...this.pass(CONSTANT_BITS - KEPT_BITS),
      ...this.transpose(),
      ...this.pass(CONSTANT_BITS + KEPT_BITS + 3),
      ...this.store(target, stride),
    ];
  }

  /** Transforms along the rows' number, in all columns, and shifts right with rounding. */
  private pass(shift: number): Code[] {
    const { rows, others, pairs, evens, sum } = this;
    const [in04, in26, in13, in57] = pairs;
    const [e0, e1, e2, e3] = evens;
    const rounding = i32(1 << (shift - 1)).inLanes();
    const halfOf = (upper: number): Code[] => [
      in04.set(inTurn(rows[0], rows[4], 2, upper)),
      in26.set(inTurn(rows[2], rows[6], 2, upper)),
      in13.set(inTurn(rows[1], rows[3], 2, upper)),
      in57.set(inTurn(rows[5], rows[7], 2, upper)),
      sum.set(in26.dot(pairOf(even.outer))),
      e3.set(in04.dot(pairOf(even.sum)).plus(rounding)),
      e0.set(e3.plus(sum)),
      e3.set(e3.minus(sum)),
      sum.set(in26.dot(pairOf(even.inner))),
      e2.set(in04.dot(pairOf(even.difference)).plus(rounding)),
      e1.set(e2.plus(sum)),
      e2.set(e2.minus(sum)),
    ];
    const outputs = (write: (index: number, value: V128) => Code): Code[] =>
      odd.flatMap((constants, k) => [
        sum.set(in13.dot(pairOf(constants.slice(0, 2))).plus(in57.dot(pairOf(constants.slice(2))))),
        write(k, evens[k].plus(sum).shiftedRight(shift)),
        write(7 - k, evens[k].minus(sum).shiftedRight(shift)),
      ]);
    return [
      ...halfOf(0),
      ...outputs((index, value) => others[index].set(value)),
      ...halfOf(1),
      ...outputs((index, value) => others[index].set(others[index].narrowedToShorts(value))),
      ...rows.map((row, i) => row.set(others[i])),
    ];
  }

  /** Three perfect shuffles turn 8 x 8 numbers over. */
  private transpose(): Code[] {
    const { rows, others } = this;
    const stage = (from: readonly Vector[], to: readonly Vector[]) => shuffled(from, to, 2);
    return [
      ...[...stage(rows, others), ...stage(others, rows), ...stage(rows, others)],
      ...rows.map((row, i) => row.set(others[i])),
    ];
  }

  /** The vectors are columns now: clipped to bytes, moved to 0 … 255, turned over, stored row by row. */
  private store(target: I32Local, stride: I32): Code[] {
    const { rows, others } = this;
    const [first, second] = [others.slice(0, 4), others.slice(4)];
    const middle = bytes(Array(16).fill(128));
    return [
      ...first.map((pair, k) =>
        pair.set(rows[2 * k].narrowedToSignedBytes(rows[2 * k + 1]).plusBytes(middle)),
      ),
      ...[...shuffled(first, second, 1), ...shuffled(second, first, 1), ...shuffled(first, second, 1)],
      ...second.flatMap((pair) => [
        target.storeHalf(pair, 0),
        target.set(target.plus(stride)),
        target.storeHalf(pair, 1),
        target.set(target.plus(stride)),
      ]),
    ];
  }
}

/** A perfect shuffle of all lanes of so many bytes. */
function shuffled(from: readonly Vector[], to: readonly Vector[], width: number): Code[] {
  const half = from.length / 2;
  return from
    .slice(0, half)
    .flatMap((vector, k) =>
      [0, 1].map((upper) => to[2 * k + upper].set(inTurn(vector, from[k + half], width, upper))),
    );
}
