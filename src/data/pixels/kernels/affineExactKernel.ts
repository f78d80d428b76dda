import { wasmFunction } from "../../../core/wasm/function";
import { bytes, f64, type V128 } from "../../../core/wasm/values";
import { advancing, ENTRY_BYTES } from "./pixelCode";

const ZERO = 255;

/** Red, green and blue of one of the loaded pixels as 32-bit lanes. */
const tap = (k: number) =>
  bytes([0, 1, 2].flatMap((c) => [3 * k + c, ZERO, ZERO, ZERO]).concat(Array(4).fill(ZERO)));
const upperHalf = Array.from({ length: 16 }, (_, i) => (8 + i) % 16);

/** The lower two, or upper two, of four integers as doubles. */
const doubles = (lanes: V128, half: number) =>
  (half === 0 ? lanes : lanes.mixed(lanes, upperHalf)).toDoubles();

/**
 * The pixels of a list from `list` to `end` from the places of the source that the matrix (doubles [3, 2]) gives, by Pillow's
 * cubic over 4 x 4 pixels in double precision. These places lie in the image.
 */
export const affineListed = wasmFunction(
  "affineListed",
  ["source", "line", "width", "matrix", "target", "list", "end"],
  (p, locals) => {
    const [x, y, inX, inY] = Array.from({ length: 4 }, () => locals.f64());
    const [left, top, at, to, word] = Array.from({ length: 5 }, () => locals.i32());
    const [pixels, v0, v1, v2, v3] = Array.from({ length: 5 }, () => locals.v128());
    const [second, third, fourth] = [locals.v128(), locals.v128(), locals.v128()];
    const rows = Array.from({ length: 4 }, () => [locals.v128(), locals.v128()]);
    const [shareX, shareY] = [locals.v128(), locals.v128()];
    const results = [locals.v128(), locals.v128()];
    const place = (row: number) => {
      const [a, b, c] = [0, 1, 2].map((k) => p.matrix.loadF64(8 * (2 * k + row)));
      return a.times(x).plus(b.times(y)).plus(c);
    };
    const horner = (first: V128, s: V128, t: V128, f: V128, share: V128) =>
      first.plusDoubles(
        share.timesDoubles(s.plusDoubles(share.timesDoubles(t.plusDoubles(share.timesDoubles(f))))),
      );
    const across = (row: number) => [
      pixels.set(at.loadVector()),
      ...[v0, v1, v2, v3].map((value, k) => value.set(pixels.picked(tap(k)))),
      second.set(v2.minus(v0)),
      third.set(v0.minus(v1).shiftedLeft(1).plus(v2).minus(v3)),
      fourth.set(v1.minus(v0).minus(v2).plus(v3)),
      ...rows[row].map((sum, half) =>
        sum.set(
          horner(
            doubles(v1, half),
            doubles(second, half),
            doubles(third, half),
            doubles(fourth, half),
            shareX,
          ),
        ),
      ),
      at.set(at.plus(p.line)),
    ];
    const down = (half: number) => {
      const [r0, r1, r2, r3] = rows.map((row) => row[half]);
      const difference = r0.minusDoubles(r1);
      return [
        second.set(r2.minusDoubles(r0)),
        third.set(difference.plusDoubles(difference).plusDoubles(r2).minusDoubles(r3)),
        fourth.set(r1.minusDoubles(r0).minusDoubles(r2).plusDoubles(r3)),
        results[half].set(horner(r1, second, third, fourth, shareY).cutToLanes()),
      ];
    };
    const shortsOf = results[0].narrowedToShorts(results[1]);
    const rgb = bytes([0, 1, 4, ...Array(13).fill(ZERO)]);
    const color = shortsOf.narrowedToBytes(shortsOf).picked(rgb).firstLane();
    const interpolate = [
      x.set(p.list.load().toF64().plus(f64(0.5))),
      y.set(p.list.load(4).toF64().plus(f64(0.5))),
      inX.set(place(0).minus(f64(0.5))),
      inY.set(place(1).minus(f64(0.5))),
      left.set(inX.floor().toI32()),
      top.set(inY.floor().toI32()),
      shareX.set(inX.minus(inX.floor()).inDoubles()),
      shareY.set(inY.minus(inY.floor()).inDoubles()),
      at.set(p.source.plus(top.minus(1).times(p.line)).plus(left.minus(1).times(3))),
      ...[0, 1, 2, 3].flatMap(across),
      ...[0, 1].flatMap(down),
      to.set(p.target.plus(p.list.load(4).times(p.width).plus(p.list.load()).times(3))),
      word.set(color),
      to.storeShort(word),
      to.storeByte(word.shiftedRight(16), 2),
    ];
    return { body: [advancing(p.list, p.end, ENTRY_BYTES, interpolate)] };
  },
);
