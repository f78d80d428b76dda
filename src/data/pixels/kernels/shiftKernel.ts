import { forEach, wasmFunction, when } from "../../../core/wasm/function";
import { type I32, i32, type V128 } from "../../../core/wasm/values";
import { advancing, append, fillUpTo } from "./pixelCode";
import { advance, LOW_BITS, WEIGHT_BITS } from "./resampleCode";

/*
 * Cubic interpolation along one axis, in integers: every byte is the sum of four others times weights of 22 bits, which
 * come in halves (weight = 2048 high + low). Where the sum is too near to a whole number for such weights to tell Pillow's
 * byte, the pixel is listed to be done again; where all four bytes are equal there is nothing to tell.
 */

/** Pixels done at a time. */
const AT_ONCE = 5;
/**
 * What a row is told, as i32: where the first of the four bytes of its first pixel lies, which pixels it gives, how far
 * from a whole number a sum decides, and weights of the first two bytes, high and low, then of the last two, in pairs.
 */
const row = { source: 0, start: 4, end: 8, margin: 12, weights: 16 };
export const ROW_INTS = 8;

const FRACTION = (1 << WEIGHT_BITS) - 1;

/** Pairs of weights: 0, 1 high and low of the first two bytes, 2, 3 of the last two; for one quarter of 16 bytes. */
type PairedWeights = (pair: number, quarter: number) => V128;

/**
 * Rows of an image moved along an axis, the four bytes `step` apart; pixels that a row does not give are `fill`. Appends
 * (column, row counted from `y`) to `list` and gives its end. Writes 16 bytes behind the last row.
 */
function shiftKernel(name: string, weightsInTable: boolean) {
  const parameters = ["rows", "height", "y", "step", "target", "width", "fill", "list", "table", "stride"];
  return wasmFunction(name, parameters, (p, locals) => {
    const [count, from, x, end, to, until, bits, column] = Array.from({ length: 8 }, () => locals.i32());
    const vectors = (length: number) => Array.from({ length }, () => locals.v128());
    const [taps, mixed, sums, rowWeights] = [vectors(4), vectors(4), vectors(4), vectors(4)];
    const [margin, twice, all] = vectors(3);
    const weight: PairedWeights = weightsInTable
      ? (pair, quarter) => (pair === 0 ? column : column.plus(times(p.stride, pair))).loadVector(16 * quarter)
      : (pair) => rowWeights[pair];
    const sum = (quarter: number) => {
      const shorts = (vector: V128) =>
        quarter % 2 === 0 ? vector.lowBytesAsShorts() : vector.highBytesAsShorts();
      const half = (low: number) =>
        shorts(mixed[quarter >> 1])
          .dot(weight(low, quarter))
          .plus(shorts(mixed[2 + (quarter >> 1)]).dot(weight(2 + low, quarter)));
      return half(0).shiftedLeft(LOW_BITS).plus(half(1));
    };
    const unclear = sums.map((lanes) => lanes.plus(margin).and(i32(FRACTION).inLanes()).below(twice));
    const bytesOf = ([a, b, c, d]: readonly V128[], narrow: "narrowedToBytes" | "narrowedToSignedBytes") =>
      a.narrowedToShorts(b)[narrow](c.narrowedToShorts(d));
    const listUnclear = [
      all.set(taps[0].equalBytes(taps[1]).and(taps[1].equalBytes(taps[2]))),
      all.set(all.and(taps[2].equalBytes(taps[3]))),
      bits.set(bytesOf(unclear, "narrowedToSignedBytes").without(all).bitsOfBytes()),
      ...Array.from({ length: AT_ONCE }, (_, k) => {
        const pixel = x.plus(k);
        return when(
          bits
            .and(7 << (3 * k))
            .above(0)
            .and(pixel.below(end)),
          append(p.list, pixel, p.y),
        );
      }),
    ];
    const chunk = [
      ...taps.map((tap, k) => tap.set((k === 0 ? from : from.plus(times(p.step, k))).loadVector())),
      ...mixed.map((both, i) => both.set(taps[i & 2].inTurn(taps[(i & 2) + 1], 1, i & 1))),
      ...sums.map((lanes, quarter) => lanes.set(sum(quarter))),
      when(unclear.reduce((a, b) => a.or(b)).anyTrue(), listUnclear),
      to.storeVector(
        bytesOf(
          sums.map((lanes) => lanes.shiftedRight(WEIGHT_BITS)),
          "narrowedToBytes",
        ),
      ),
      advance(from, 3 * AT_ONCE),
      advance(to, 3 * AT_ONCE),
      ...(weightsInTable ? [advance(column, 12 * AT_ONCE)] : []),
    ];
    const line = p.width.times(3);
    return {
      body: [
        forEach(count, p.height, [
          from.set(p.rows.load(row.source)),
          x.set(p.rows.load(row.start)),
          end.set(p.rows.load(row.end)),
          margin.set(p.rows.loadInLanes(row.margin)),
          twice.set(margin.shiftedLeft(1)),
          ...rowWeights.map((pair, k) => pair.set(p.rows.loadInLanes(row.weights + 4 * k))),
          column.set(p.table.plus(x.times(12))),
          to.set(p.target),
          until.set(p.target.plus(x.times(3))),
          fillUpTo(to, until, p.fill),
          advancing(x, end, AT_ONCE, chunk),
          to.set(p.target.plus(end.times(3))),
          until.set(p.target.plus(line)),
          fillUpTo(to, until, p.fill),
          p.target.set(until),
          advance(p.rows, 4 * ROW_INTS),
          advance(p.y, 1),
        ]),
      ],
      result: p.list,
    };
  });
}

const times = (value: I32, factor: number) => (factor === 1 ? value : value.times(factor));

/** With the weights that each row is told. */
export const shiftRows = shiftKernel("shiftRows", false);
/** With weights of every byte's own from `table`: pairs [4, 3 width], `stride` bytes apart; 64 bytes behind are read. */
export const shiftColumns = shiftKernel("shiftColumns", true);

/** Copies `rows` rows of 16 bytes, `line` apart in both places. */
export const copyStrip = wasmFunction("copyStrip", ["source", "target", "rows", "line"], (p, locals) => {
  const count = locals.i32();
  return {
    body: [
      forEach(count, p.rows, [
        p.target.storeVector(p.source.loadVector()),
        p.source.set(p.source.plus(p.line)),
        p.target.set(p.target.plus(p.line)),
      ]),
    ],
  };
});
