import { forEach, type I32Local, loopWhile, repeatWhile, wasmFunction } from "../../core/wasm/function";
import { bytes, i32, type V128 } from "../../core/wasm/values";

/*
 * The two passes of Pillow's resizing, in its own integers. A weight of 22 bits does not fit the 16-bit lanes that
 * multiply fastest, so it is split: weight = 2048 high + low. Both halves' sums are exact, and so is what they add up to.
 */

export const WEIGHT_BITS = 22;
export const LOW_BITS = 11;
/** Taps per vector of packed weights: two pairs of high halves, then two of low ones. */
export const TAPS = 4;
const ZERO = 255;

/** 2048 high + low, rounded to a whole value. */
const total = (high: V128, low: V128) =>
  high
    .shiftedLeft(LOW_BITS)
    .plus(low)
    .plus(i32(1 << (WEIGHT_BITS - 1)).inLanes())
    .shiftedRight(WEIGHT_BITS);

/** Red, green and blue of pixels `first` and `first` + 1 next to each other, as 16-bit lanes. */
const pixelPair = (first: number) => {
  const at = 3 * first;
  return bytes([0, 1, 2].flatMap((c) => [at + c, ZERO, at + 3 + c, ZERO]).concat(Array(4).fill(ZERO)));
};

/** Rows done together, and rows that stay in the nearest cache while all their pixels are made. */
export const ROWS = 4;
const TILE_ROWS = 32;

const horizontalParameters = [
  "source",
  "line",
  "rows",
  "target",
  "targetLine",
  "width",
  "starts",
  "weights",
  "groups",
] as const;

/**
 * Rows of RGB bytes to narrower or wider ones; the number of rows is rounded up to a multiple of ROWS. `starts` has byte
 * offsets, `weights` `groups` vectors a pixel. Reads up to 16 bytes behind a row and writes one.
 */
const horizontalOf = (name: string, groups: number) =>
  wasmFunction(name, horizontalParameters, (p, locals) => {
    const [x, from, to, end, tile] = Array.from({ length: 5 }, () => locals.i32());
    const lanes = locals.v128();
    const pixels = Array.from({ length: groups }, () => locals.v128());
    const weights = Array.from({ length: 4 * groups }, () => locals.v128());
    const sumOf = (part: number) =>
      pixels
        .flatMap((vector, group) =>
          [0, 1].map((pair) => vector.picked(pixelPair(2 * pair)).dot(weights[4 * group + 2 * part + pair])),
        )
        .reduce((sum, product) => sum.plus(product));
    const row = [
      ...pixels.map((vector, group) => vector.set(from.loadVector(3 * TAPS * group))),
      lanes.set(total(sumOf(0), sumOf(1))),
      lanes.set(lanes.narrowedToShorts(lanes)),
      to.store(lanes.narrowedToBytes(lanes).firstLane()),
      from.set(from.plus(p.line)),
      to.set(to.plus(p.targetLine)),
    ];
    const pixel = [
      from.set(p.source.plus(p.starts.plus(x.shiftedLeft(2)).load())),
      to.set(p.target.plus(x.times(3))),
      end.set(from.plus(tile.times(p.line))),
      ...weights.map((weight, i) => weight.set(p.weights.plus(x.times(16 * groups)).loadInLanes(4 * i))),
      repeatWhile(Array.from({ length: ROWS }, () => row).flat(), from.below(end)),
    ];
    const body = [
      loopWhile(p.rows.above(0), [
        tile.set(p.rows.atMost(i32(TILE_ROWS))),
        forEach(x, p.width, pixel),
        p.source.set(p.source.plus(p.line.times(TILE_ROWS))),
        p.target.set(p.target.plus(p.targetLine.times(TILE_ROWS))),
        p.rows.set(p.rows.minus(TILE_ROWS)),
      ]),
    ];
    return { body };
  });

/** By the number of groups, where weights of all groups have room in registers. */
export const horizontal1 = horizontalOf("horizontal1", 1);
export const horizontal2 = horizontalOf("horizontal2", 2);
export const horizontal3 = horizontalOf("horizontal3", 3);

/** The same for any number of groups. */
export const horizontal = wasmFunction("horizontal", horizontalParameters, (p, locals) => {
  const [row, x, group, weight] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
  const [from, to, next] = [locals.i32(), locals.i32(), locals.i32()];
  const pixels = locals.v128();
  const sums = Array.from({ length: ROWS }, () => ({ high: locals.v128(), low: locals.v128() }));
  const zero = i32(0).inLanes();
  const addRow = ({ high, low }: (typeof sums)[number]) => {
    const pairs = [0, 2].map((first) => pixels.picked(pixelPair(first)));
    return [
      pixels.set(next.loadVector()),
      ...pairs.map((pair, i) => high.set(high.plus(pair.dot(weight.loadInLanes(4 * i))))),
      ...pairs.map((pair, i) => low.set(low.plus(pair.dot(weight.loadInLanes(8 + 4 * i))))),
      next.set(next.plus(p.line)),
    ];
  };
  const store = ({ high, low }: (typeof sums)[number]) => {
    const lanes = total(high, low);
    const narrow = lanes.narrowedToShorts(lanes);
    return [next.store(narrow.narrowedToBytes(narrow).firstLane()), next.set(next.plus(p.targetLine))];
  };
  const pixel = [
    from.set(p.source.plus(p.starts.plus(x.shiftedLeft(2)).load())),
    ...sums.flatMap(({ high, low }) => [high.set(zero), low.set(zero)]),
    forEach(group, p.groups, [
      next.set(from),
      ...sums.flatMap(addRow),
      from.set(from.plus(3 * TAPS)),
      weight.set(weight.plus(16)),
    ]),
    next.set(to),
    ...sums.flatMap(store),
    to.set(to.plus(3)),
  ];
  const body = [
    row.set(i32(0)),
    loopWhile(row.below(p.rows), [
      to.set(p.target),
      weight.set(p.weights),
      forEach(x, p.width, pixel),
      p.source.set(p.source.plus(p.line.times(ROWS))),
      p.target.set(p.target.plus(p.targetLine.times(ROWS))),
      row.set(row.plus(ROWS)),
    ]),
  ];
  return { body };
});

const interleaved = (first: number) =>
  Array.from({ length: 8 }, (_, i) => [first + i, 16 + first + i]).flat();

/**
 * Lines of bytes to fewer or more lines. `starts` has byte offsets; of every line's `pairs` of weights the high halves
 * stand before the low ones. Works on 16 bytes at a time and so may write 15 behind a line, which the next one mends.
 */
export const vertical = wasmFunction(
  "vertical",
  ["source", "line", "target", "targetLine", "height", "starts", "weights", "pairs"],
  (p, locals) => {
    const [y, x, pair, weight, from] = Array.from({ length: 5 }, () => locals.i32());
    const [upper, lower, mixed, high, low] = Array.from({ length: 5 }, () => locals.v128());
    const highs = Array.from({ length: 4 }, () => locals.v128());
    const lows = Array.from({ length: 4 }, () => locals.v128());
    const zero = i32(0).inLanes();
    const addPair = [
      [high.set(weight.loadInLanes()), low.set(weight.loadInLanes(4))],
      [upper.set(from.loadVector()), lower.set(from.plus(p.line).loadVector())],
      ...[0, 1].map((half) => {
        const lanes = [() => mixed.lowBytesAsShorts(), () => mixed.highBytesAsShorts()];
        return [
          mixed.set(upper.mixed(lower, interleaved(8 * half))),
          ...lanes.flatMap((lane, i) => {
            const [sumHigh, sumLow] = [highs[2 * half + i], lows[2 * half + i]];
            return [sumHigh.set(sumHigh.plus(lane().dot(high))), sumLow.set(sumLow.plus(lane().dot(low)))];
          }),
        ];
      }),
      [from.set(from.plus(p.line.shiftedLeft(1))), weight.set(weight.plus(8))],
    ].flat();
    const totals = highs.map((sum, i) => total(sum, lows[i]));
    const shortsOf = (i: number) => totals[i].narrowedToShorts(totals[i + 1]);
    const chunk = [
      ...[...highs, ...lows].map((sum) => sum.set(zero)),
      weight.set(p.weights),
      from.set(p.source.plus(p.starts.load()).plus(x)),
      forEach(pair, p.pairs, addPair),
      p.target.plus(x).storeVector(shortsOf(0).narrowedToBytes(shortsOf(2))),
      x.set(x.plus(16)),
    ];
    const advance = (pointer: I32Local, step: Parameters<I32Local["plus"]>[0]) =>
      pointer.set(pointer.plus(step));
    const body = [
      forEach(y, p.height, [
        x.set(i32(0)),
        loopWhile(x.below(p.targetLine), chunk),
        advance(p.target, p.targetLine),
        advance(p.starts, 4),
        advance(p.weights, p.pairs.shiftedLeft(3)),
      ]),
    ];
    return { body };
  },
);
