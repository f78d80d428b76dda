import { forEach, loopWhile, repeatWhile, wasmFunction } from "../../../core/wasm/function";
import { bytes, i32 } from "../../../core/wasm/values";
import { advance, PAIR_BYTES, sumOf, total } from "./resampleCode";

/*
 * Rows of RGB bytes to narrower or wider ones; the number of rows is rounded up to a multiple of ROWS. `starts` has byte
 * offsets. Reads up to 16 bytes behind a row and writes one.
 */

const parameters = [
  "source",
  "line",
  "rows",
  "target",
  "targetLine",
  "width",
  "starts",
  "weights",
  "pairs",
] as const;

/** Rows done together, and rows that stay in the nearest cache while all their pixels are made. */
export const ROWS = 4;
const TILE_ROWS = 32;

const ZERO = 255;
/** Bytes of two pixels. */
const STEP = 6;

/** Red, green and blue of a loaded pair of pixels next to each other, as 16-bit lanes. */
const pixelPair = (pair: number) => {
  const at = STEP * pair;
  return bytes([0, 1, 2].flatMap((c) => [at + c, ZERO, at + 3 + c, ZERO]).concat(Array(4).fill(ZERO)));
};

/** With the weights of one column in registers, down the rows. */
const horizontalOf = (pairs: number) =>
  wasmFunction(`horizontal${pairs}`, parameters, (p, locals) => {
    const [x, from, to, end, tile] = Array.from({ length: 5 }, () => locals.i32());
    const lanes = locals.v128();
    const pixels = Array.from({ length: Math.ceil(pairs / 2) }, () => locals.v128());
    const [high, low] = [0, 1].map(() => Array.from({ length: pairs }, () => locals.v128()));
    const products = (weights: typeof high) =>
      weights.map((weight, k) => pixels[k >> 1].picked(pixelPair(k % 2)).dot(weight));
    const row = [
      ...pixels.map((vector, i) => vector.set(from.loadVector(2 * STEP * i))),
      lanes.set(total(sumOf(products(high)), sumOf(products(low)))),
      lanes.set(lanes.narrowedToShorts(lanes)),
      to.store(lanes.narrowedToBytes(lanes).firstLane()),
      advance(from, p.line),
      advance(to, p.targetLine),
    ];
    const pixel = [
      from.set(p.source.plus(p.starts.plus(x.shiftedLeft(2)).load())),
      to.set(p.target.plus(x.times(3))),
      end.set(from.plus(tile.times(p.line))),
      ...[high, low].flatMap((half, k) =>
        half.map((weight, i) =>
          weight.set(p.weights.plus(x.times(PAIR_BYTES * pairs)).loadInLanes(PAIR_BYTES * i + 4 * k)),
        ),
      ),
      repeatWhile(Array.from({ length: ROWS }, () => row).flat(), from.below(end)),
    ];
    const body = [
      loopWhile(p.rows.above(0), [
        tile.set(p.rows.atMost(i32(TILE_ROWS))),
        forEach(x, p.width, pixel),
        advance(p.source, p.line.times(TILE_ROWS)),
        advance(p.target, p.targetLine.times(TILE_ROWS)),
        p.rows.set(p.rows.minus(TILE_ROWS)),
      ]),
    ];
    return { body };
  });

/** For any number of pairs. */
const horizontal = wasmFunction("horizontal", parameters, (p, locals) => {
  const [row, x, pair, weight] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
  const [from, to, next] = [locals.i32(), locals.i32(), locals.i32()];
  const pixels = locals.v128();
  const sums = Array.from({ length: ROWS }, () => ({ high: locals.v128(), low: locals.v128() }));
  const zero = i32(0).inLanes();
  const addRow = ({ high, low }: (typeof sums)[number]) => [
    pixels.set(next.loadVector().picked(pixelPair(0))),
    high.set(high.plus(pixels.dot(weight.loadInLanes()))),
    low.set(low.plus(pixels.dot(weight.loadInLanes(4)))),
    advance(next, p.line),
  ];
  const store = ({ high, low }: (typeof sums)[number]) => {
    const lanes = total(high, low);
    const narrow = lanes.narrowedToShorts(lanes);
    return [next.store(narrow.narrowedToBytes(narrow).firstLane()), advance(next, p.targetLine)];
  };
  const pixel = [
    from.set(p.source.plus(p.starts.plus(x.shiftedLeft(2)).load())),
    ...sums.flatMap(({ high, low }) => [high.set(zero), low.set(zero)]),
    forEach(pair, p.pairs, [
      next.set(from),
      ...sums.flatMap(addRow),
      advance(from, STEP),
      advance(weight, PAIR_BYTES),
    ]),
    next.set(to),
    ...sums.flatMap(store),
    advance(to, 3),
  ];
  const body = [
    row.set(i32(0)),
    loopWhile(row.below(p.rows), [
      to.set(p.target),
      weight.set(p.weights),
      forEach(x, p.width, pixel),
      advance(p.source, p.line.times(ROWS)),
      advance(p.target, p.targetLine.times(ROWS)),
      advance(row, ROWS),
    ]),
  ];
  return { body };
});

/** By the number of pairs, where there are few. */
export const horizontals = {
  horizontal,
  horizontal1: horizontalOf(1),
  horizontal2: horizontalOf(2),
  horizontal3: horizontalOf(3),
  horizontal4: horizontalOf(4),
  horizontal5: horizontalOf(5),
  horizontal6: horizontalOf(6),
};
