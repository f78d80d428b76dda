import { type Local, repeatWhile, wasmFunction } from "../../../core/wasm/function";
import { type Code, floats, i32, type V128 } from "../../../core/wasm/values";

/*
 * Normal numbers in quantity, by Box and Muller from two uniform ones: length sqrt(-2 log u), and a direction. Four
 * generators run side by side in the lanes of vectors. Logarithm, sine and cosine are series that end where single
 * precision does, so that every machine gives the same numbers.
 */

type Vector = Local<V128>;

/** Words of a generator's state. */
export const STATE_WORDS = 4;
/** Generators, and numbers that they give in a turn. */
export const GENERATORS = 4;
const IN_A_TURN = 2 * GENERATORS;

const each = (value: number) => floats(Array(4).fill(value));
const bits = (value: number) => i32(value).inLanes();
const rotated = (x: Vector, left: number) => x.shiftedLeft(left).or(x.shiftedRightUnsigned(32 - left));

/** One step of xoshiro128**, as Rng's: its number to `result`. */
function step([s0, s1, s2, s3]: readonly Vector[], result: Vector, scratch: Vector): Code[] {
  return [
    scratch.set(s1.plus(s1.shiftedLeft(2))),
    scratch.set(rotated(scratch, 7)),
    result.set(scratch.plus(scratch.shiftedLeft(3))),
    scratch.set(s1.shiftedLeft(9)),
    s2.set(s2.xor(s0)),
    s3.set(s3.xor(s1)),
    s1.set(s1.xor(s2)),
    s0.set(s0.xor(s3)),
    s2.set(s2.xor(scratch)),
    s3.set(rotated(s3, 11)),
  ];
}

/** A polynomial by its coefficients from the constant one up. */
const polynomial = (coefficients: readonly number[], x: V128) =>
  coefficients.map(each).reduceRight((sum, coefficient) => coefficient.plusFloats(x.timesFloats(sum)));

/** The bits of sqrt(1/2), where the mantissas begin that a logarithm's series is for. */
const LOWEST = 0x3f3504f3;

/** sqrt(-2 log u) for u = (number + 1/2) / 2^32, which takes the place of the number. */
function lengths(u: Vector, exponent: Vector, square: Vector): Code[] {
  const series = [0, 1, 2, 3, 4].map((k) => 2 / (2 * k + 1));
  const log = exponent
    .toFloats()
    .timesFloats(each(Math.LN2))
    .plusFloats(u.timesFloats(polynomial(series, square)));
  return [
    u.set(
      u
        .unsignedToFloats()
        .plusFloats(each(0.5))
        .timesFloats(each(2 ** -32)),
    ),
    exponent.set(u.minus(bits(LOWEST)).shiftedRight(23)),
    u.set(u.minus(exponent.shiftedLeft(23))),
    u.set(u.minusFloats(each(1)).dividedByFloats(u.plusFloats(each(1)))), // log m = 2 atanh((m - 1) / (m + 1))
    square.set(u.timesFloats(u)),
    u.set(log.timesFloats(each(-2)).roots()),
  ];
}

/** The factorials' inverses with alternating signs, every other one from that of `first` on. */
const alternating = (first: number, length: number) =>
  Array.from({ length }, (_, k) => {
    let value = (-1) ** k;
    for (let n = 2; n <= 2 * k + first; n++) value /= n;
    return value;
  });

/**
 * Fills `count` float32 numbers from `target` on with standard normal ones; writes up to 7 behind them. `state` has the
 * words of four generators: u32 [4 words, 4 generators].
 */
export const noise = wasmFunction("noise", ["state", "target", "count"], (p, locals) => {
  const vectors = (length: number) => Array.from({ length }, () => locals.v128());
  const words = vectors(STATE_WORDS);
  const [u, v, first, second, angle, sine, cosine] = vectors(7);
  const end = locals.i32();
  const turned = v.shiftedLeft(1).shiftedRight(31);
  const turn = [
    ...step(words, u, first),
    ...step(words, v, first),
    ...lengths(u, first, second),
    // The lower 30 bits are an angle within an eighth of a turn to both sides; the others say which quarter it is.
    angle.set(
      v
        .shiftedLeft(2)
        .toFloats()
        .timesFloats(each(Math.PI * 2 ** -33)),
    ),
    first.set(angle.timesFloats(angle)),
    sine.set(angle.timesFloats(polynomial(alternating(1, 5), first))),
    cosine.set(polynomial(alternating(0, 5), first)),
    u.set(u.xor(v.and(bits(-(2 ** 31))))),
    p.target.storeVector(u.timesFloats(sine.chosen(cosine, turned))),
    p.target.storeVector(u.timesFloats(cosine.chosen(sine, turned)), 16),
    p.target.set(p.target.plus(4 * IN_A_TURN)),
  ];
  return {
    body: [
      ...words.map((word, k) => word.set(p.state.loadVector(16 * k))),
      end.set(p.target.plus(p.count.shiftedLeft(2))),
      repeatWhile(turn, p.target.below(end)),
    ],
  };
});
