import { loopWhile, wasmFunction, when } from "../../../core/wasm/function";
import { bytes, f64, floats, i32, type V128 } from "../../../core/wasm/values";
import { advancing, append } from "./pixelCode";

const ZERO = 255;
/** Four of the twelve bytes of four pixels, as 32-bit lanes. */
const lanesFrom = (first: number) =>
  bytes(Array.from({ length: 4 }, (_, k) => [first + k, ZERO, ZERO, ZERO]).flat());
/** 32-bit lanes of a vector (0 … 3) and another (4 … 7) by their numbers. */
const lanes = (a: V128, b: V128, numbers: readonly number[]) =>
  a.mixed(
    b,
    numbers.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
  );

/** Of Pillow's cubic (a = -1): the four pixels' weights as polynomials in the share, from the constant term up. */
const polynomials = [
  [0, 1, 0, 0],
  [-1, 0, 1, 0],
  [2, -2, 1, -1],
  [-1, 1, -1, 1],
].map(floats);
const weightsAt = (share: V128) =>
  polynomials.reduceRight((sum, term) => term.plusFloats(share.timesFloats(sum)));

/**
 * How far results of single precision may be from Pillow's double ones. With u = 2^-24: a weight is off by at most 8 u
 * (its share by u, times a slope of at most 4/3, and roundings), four rows of four pixels of up to 255 by
 * 255 u (1.5 (4 x 8 + 6) + 1.5 x 4 x 8 + 9) < 2^-9.
 */
const ERROR = 2 ** -9;

/** Of the twelve numbers of four pixels, four at a time: the column of each. */
const columnsOfLanes = [
  [0, 0, 0, 1],
  [1, 1, 2, 2],
  [2, 3, 3, 3],
];
/** What is noted of each pixel of a row before they are interpolated: so many results do not wait for one another. */
const entry = { weights: [0, 16], address: 32 };
export const NOTE_BYTES = 48;
const each = (value: number) => floats(Array(4).fill(value));
const double = (value: number) => f64(value).inDoubles();
const spread = (a: V128, numbers: readonly number[]) => lanes(a, a, numbers);
/** Red, green and blue of the first pixel, four times. */
const samePixel = bytes([...Array(4).fill([0, 1, 2]).flat(), ...Array(4).fill(ZERO)]);
const PIXELS = (1 << 12) - 1;

/**
 * Rows from `y` up to `end` of an image from the places of the source that the matrix (doubles [3, 2]: of the column,
 * of the row, added) gives, by Pillow's cubic over 4 x 4 pixels; where that is outside, `fill`. Appends (column, row) of
 * pixels that single precision cannot tell to `list` and gives its end. `target` is row `y`'s; writes one byte behind.
 * `notes` has room for a row of NOTE_BYTES each.
 */
export const affine = wasmFunction(
  "affine",
  ["source", "line", "width", "height", "y", "end", "matrix", "fill", "target", "list", "notes"],
  (p, locals) => {
    const [x, first, at, color, noted, from] = Array.from({ length: 6 }, () => locals.i32());
    const vectors = (length: number) => Array.from({ length }, () => locals.v128());
    const [column, rowPart, place, size, whole, share, weightsX, sum] = vectors(8);
    const [columnPart, origin] = vectors(2);
    const [rows, products] = [vectors(4), vectors(3)];
    const inside = place.doublesAtLeast(double(0)).and(place.doublesBelow(size)).bitsOfLanes().equals(15);
    const down = (first: number) =>
      rows
        .map((row, k) =>
          row
            .picked(lanesFrom(first))
            .toFloats()
            .timesFloats(from.loadInLanes(entry.weights[1] + 4 * k)),
        )
        .reduce((a, b) => a.plusFloats(b));
    const unclear = sum.minusFloats(sum.rounded()).magnitudes().floatsBelow(each(ERROR));
    const flat = rows
      .map((row) => row.equalBytes(rows[0].picked(samePixel)))
      .reduce((a, b) => a.and(b))
      .bitsOfBytes()
      .and(PIXELS)
      .equals(PIXELS);
    const shorts = whole.narrowedToShorts(whole);
    const placed = [
      place.set(column.timesDoubles(columnPart).plusDoubles(rowPart)),
      place.set(place.plusDoubles(origin)),
    ];
    const next = [x.set(x.plus(1)), column.set(column.plusDoubles(double(1))), ...placed];
    const outside = [p.target.store(p.fill), p.target.set(p.target.plus(3)), ...next];
    const note = [
      place.set(place.minusDoubles(double(0.5))),
      whole.set(place.flooredDoubles()),
      place.set(place.minusDoubles(whole).toSingles()),
      whole.set(whole.cutToLanes()),
      at.set(p.source.plus(whole.lane(1).minus(1).times(p.line)).plus(whole.lane(0).minus(1).times(3))),
      noted.store(at, entry.address),
      ...[0, 1].flatMap((axis) => [
        share.set(spread(place, [axis, axis, axis, axis])),
        noted.storeVector(weightsAt(share), entry.weights[axis]),
      ]),
      noted.set(noted.plus(NOTE_BYTES)),
      ...next,
    ];
    const interpolate = [
      at.set(from.load(entry.address)),
      weightsX.set(from.loadVector(entry.weights[0])),
      ...rows.flatMap((row) => [row.set(at.loadVector()), at.set(at.plus(p.line))]),
      ...columnsOfLanes.map((columns, k) =>
        products[k].set(down(4 * k).timesFloats(spread(weightsX, columns))),
      ),
      sum.set(
        products[0]
          .plusFloats(lanes(products[0], products[1], [3, 4, 5, 5]))
          .plusFloats(
            lanes(products[1], products[2], [2, 3, 4, 4]).plusFloats(spread(products[2], [1, 2, 3, 3])),
          ),
      ),
      whole.set(sum.floored()),
      color.set(shorts.narrowedToBytes(shorts).firstLane()),
      when(unclear.bitsOfLanes().and(7).above(0), [
        when(flat, [color.set(rows[0].firstLane())], append(p.list, first, p.y)),
      ]),
      p.target.store(color),
      p.target.set(p.target.plus(3)),
      first.set(first.plus(1)),
    ];
    return {
      body: [
        columnPart.set(p.matrix.loadVector()),
        origin.set(p.matrix.loadVector(32)),
        size.set(lanes(p.width.inLanes(), p.height.inLanes(), [0, 4, 0, 4]).toDoubles()),
        loopWhile(p.y.below(p.end), [
          rowPart.set(p.y.toF64().plus(f64(0.5)).inDoubles().timesDoubles(p.matrix.loadVector(16))),
          column.set(double(0.5)),
          x.set(i32(0)),
          ...placed,
          loopWhile(x.below(p.width).and(inside.isZero()), outside),
          first.set(x),
          noted.set(p.notes),
          loopWhile(x.below(p.width).and(inside), note),
          from.set(p.notes),
          advancing(from, noted, NOTE_BYTES, interpolate),
          loopWhile(x.below(p.width), outside),
          p.y.set(p.y.plus(1)),
        ]),
      ],
      result: p.list,
    };
  },
);
