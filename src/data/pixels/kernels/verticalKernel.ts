import { forEach, type I32Local, type Locals, loopWhile, wasmFunction } from "../../../core/wasm/function";
import { type Code, i32, type V128 } from "../../../core/wasm/values";
import { advance, PAIR_BYTES, sumOf, total } from "./resampleCode";

/*
 * Lines of bytes to fewer or more lines. `starts` has byte offsets. Works on eight bytes at a time and so may write seven
 * behind a line, which the next one mends.
 */

const parameters = [
  "source",
  "line",
  "target",
  "targetLine",
  "height",
  "starts",
  "weights",
  "pairs",
] as const;
type Parameters = Record<(typeof parameters)[number], I32Local>;

/** Bytes done together. */
const STEP = 8;

/** What `line` writes for every line of the target. */
function lines(p: Parameters, locals: Locals, line: Code[]): Code[] {
  const y = locals.i32();
  return [
    forEach(y, p.height, [
      ...line,
      advance(p.target, p.targetLine),
      advance(p.starts, 4),
      advance(p.weights, p.pairs.times(PAIR_BYTES)),
    ]),
  ];
}

/** Eight bytes from the sums of four lower and four upper lanes. */
function stored(to: I32Local, [lowerHigh, upperHigh]: V128[], [lowerLow, upperLow]: V128[]): Code {
  const lanes = total(lowerHigh, lowerLow).narrowedToShorts(total(upperHigh, upperLow));
  return to.storeHalf(lanes.narrowedToBytes(lanes), 0);
}

/** With the weights of one line in registers, along the line. */
const verticalOf = (pairs: number) =>
  wasmFunction(`vertical${pairs}`, parameters, (p, locals) => {
    const [from, to, end] = [locals.i32(), locals.i32(), locals.i32()];
    const [upper, lower] = [0, 1].map(() => Array.from({ length: pairs }, () => locals.v128()));
    const [high, low] = [0, 1].map(() => Array.from({ length: pairs }, () => locals.v128()));
    const sums = (weights: typeof high) =>
      [0, 1].map((half) => sumOf(weights.map((weight, k) => upper[k].inTurn(lower[k], 2, half).dot(weight))));
    const at = (row: number) => (row === 0 ? from : from.plus(p.line.times(row)));
    const body = lines(p, locals, [
      ...[high, low].flatMap((half, k) =>
        half.map((weight, i) => weight.set(p.weights.loadInLanes(PAIR_BYTES * i + 4 * k))),
      ),
      from.set(p.source.plus(p.starts.load())),
      to.set(p.target),
      end.set(p.target.plus(p.targetLine)),
      loopWhile(to.below(end), [
        ...upper.map((vector, k) => vector.set(at(2 * k).loadBytesAsShorts())),
        ...lower.map((vector, k) => vector.set(at(2 * k + 1).loadBytesAsShorts())),
        stored(to, sums(high), sums(low)),
        advance(from, STEP),
        advance(to, STEP),
      ]),
    ]);
    return { body };
  });

/** For any number of pairs. */
const vertical = wasmFunction("vertical", parameters, (p, locals) => {
  const [x, pair, weight, from, to] = Array.from({ length: 5 }, () => locals.i32());
  const [upper, lower] = [locals.v128(), locals.v128()];
  const [high, low] = [0, 1].map(() => [locals.v128(), locals.v128()]);
  const zero = i32(0).inLanes();
  const addPair = [
    [upper.set(from.loadBytesAsShorts()), lower.set(from.plus(p.line).loadBytesAsShorts())],
    ...[0, 1].map((half) => [
      high[half].set(high[half].plus(upper.inTurn(lower, 2, half).dot(weight.loadInLanes()))),
      low[half].set(low[half].plus(upper.inTurn(lower, 2, half).dot(weight.loadInLanes(4)))),
    ]),
    [advance(from, p.line.shiftedLeft(1)), advance(weight, PAIR_BYTES)],
  ].flat();
  const body = lines(p, locals, [
    x.set(i32(0)),
    loopWhile(x.below(p.targetLine), [
      ...[...high, ...low].map((sum) => sum.set(zero)),
      weight.set(p.weights),
      from.set(p.source.plus(p.starts.load()).plus(x)),
      forEach(pair, p.pairs, addPair),
      to.set(p.target.plus(x)),
      stored(to, high, low),
      advance(x, STEP),
    ]),
  ]);
  return { body };
});

/** By the number of pairs, where there are few. */
export const verticals = {
  vertical,
  vertical1: verticalOf(1),
  vertical2: verticalOf(2),
  vertical3: verticalOf(3),
  vertical4: verticalOf(4),
  vertical5: verticalOf(5),
  vertical6: verticalOf(6),
};
