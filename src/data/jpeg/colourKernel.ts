import { loopWhile, wasmFunction } from "../../core/wasm/function";
import { bytes, i32, shorts, type V128 } from "../../core/wasm/values";

/*
 * From samples to RGB in libjpeg's integers: "fancy" triangular upsampling of chroma, then conversion with 16 bits of
 * fraction. Reference: IJG jdsample.c, jdcolor.c. Rows may be read 16 bytes behind their ends and written 48.
 */

/**
 * Twice as many chroma samples across: three parts of the nearer one and one of the other. `near` and `far` are the rows
 * above and below, mixed three to one; the same row for chroma that is halved across only, whose roundings differ.
 */
export const upsample = wasmFunction(
  "upsample",
  ["near", "far", "count", "target", "roundLeft", "roundRight"],
  (p, locals) => {
    const [i, before, here, after] = [locals.i32(), locals.v128(), locals.v128(), locals.v128()];
    const times3 = (value: V128) => value.plusShorts(value.shortsShiftedLeft(1));
    const column = (offset: number) =>
      times3(p.near.plus(i).minus(1).loadBytesAsShorts(offset)).plusShorts(
        p.far.plus(i).minus(1).loadBytesAsShorts(offset),
      );
    const mixed = (neighbour: V128, rounding: typeof i) =>
      times3(here).plusShorts(neighbour).plusShorts(rounding.inShorts()).shortsShiftedRightUnsigned(4);
    const alternate = Array.from({ length: 16 }, (_, byte) => (byte >> 1) + 8 * (byte % 2));
    const pair = mixed(before, p.roundLeft).narrowedToBytes(mixed(after, p.roundRight));
    const body = [
      i.set(i32(0)),
      loopWhile(i.below(p.count), [
        before.set(column(0)),
        here.set(column(1)),
        after.set(column(2)),
        p.target.plus(i.shiftedLeft(1)).storeVector(pair.picked(bytes(alternate))),
        i.set(i.plus(8)),
      ]),
    ];
    return { body };
  },
);

/** Bytes of three vectors in turn, 48 in all; `part` of three. */
function interleaved(red: V128, green: V128, blue: V128, part: number): V128 {
  const channelAt = (i: number) => (16 * part + i) % 3;
  const positionAt = (i: number) => Math.floor((16 * part + i) / 3);
  const two = Array.from({ length: 16 }, (_, i) =>
    channelAt(i) === 2 ? 0 : positionAt(i) + 16 * channelAt(i),
  );
  const all = Array.from({ length: 16 }, (_, i) => (channelAt(i) === 2 ? 16 + positionAt(i) : i));
  return red.mixed(green, two).mixed(blue, all);
}

/** Luma and two of chroma, all of full size, to RGB. */
export const yccToRgb = wasmFunction("yccToRgb", ["y", "cb", "cr", "count", "target"], (p, locals) => {
  const end = locals.i32();
  const [luma, blueness, redness] = [locals.v128(), locals.v128(), locals.v128()];
  const [low, high] = [locals.v128(), locals.v128()];
  const [reds, greens, blues] = [0, 1, 2].map(() => [locals.v128(), locals.v128()]);
  const middle = i32(128).inShorts();
  const rounding = i32(1 << 15).inLanes();
  const inTurn = (upper: number) =>
    Array.from({ length: 16 }, (_, i) => 16 * ((i >> 1) % 2) + 8 * upper + 2 * (i >> 2) + (i % 2));
  /** (blueness a + redness b) / 65536, rounded. */
  const weighed = (a: number, b: number) => {
    const factors = shorts([a, b, a, b, a, b, a, b]);
    const part = (pairs: V128) => pairs.dot(factors).plus(rounding).shiftedRight(16);
    return part(low).narrowedToShorts(part(high));
  };
  const eight = (offset: number, k: number) => [
    luma.set(p.y.loadBytesAsShorts(offset)),
    blueness.set(p.cb.loadBytesAsShorts(offset).minusShorts(middle)),
    redness.set(p.cr.loadBytesAsShorts(offset).minusShorts(middle)),
    low.set(blueness.mixed(redness, inTurn(0))),
    high.set(blueness.mixed(redness, inTurn(1))),
    // Factors of 1.402, -0.34414, -0.71414 and 1.772, less what makes them fit 16 bits.
    reds[k].set(luma.plusShorts(redness).plusShorts(weighed(0, 91881 - 65536))),
    greens[k].set(luma.minusShorts(redness).plusShorts(weighed(-22554, 65536 - 46802))),
    blues[k].set(luma.plusShorts(blueness.shortsShiftedLeft(1)).plusShorts(weighed(116130 - 2 * 65536, 0))),
  ];
  const clipped = ([a, b]: readonly V128[]) => a.narrowedToBytes(b);
  const [red, green, blue] = [luma, blueness, redness];
  const body = [
    end.set(p.y.plus(p.count)),
    loopWhile(p.y.below(end), [
      ...[...eight(0, 0), ...eight(8, 1)],
      red.set(clipped(reds)),
      green.set(clipped(greens)),
      blue.set(clipped(blues)),
      ...[0, 1, 2].map((part) => p.target.storeVector(interleaved(red, green, blue, part), 16 * part)),
      ...[p.y, p.cb, p.cr].map((pointer) => pointer.set(pointer.plus(16))),
      p.target.set(p.target.plus(48)),
    ]),
  ];
  return { body };
});

/** Gray to RGB. */
export const grayToRgb = wasmFunction("grayToRgb", ["y", "count", "target"], (p, locals) => {
  const end = locals.i32();
  const body = [
    end.set(p.y.plus(p.count)),
    loopWhile(p.y.below(end), [
      ...[0, 1, 2].map((part) => {
        const positions = Array.from({ length: 16 }, (_, i) => Math.floor((16 * part + i) / 3));
        return p.target.storeVector(p.y.loadVector().picked(bytes(positions)), 16 * part);
      }),
      p.y.set(p.y.plus(16)),
      p.target.set(p.target.plus(48)),
    ]),
  ];
  return { body };
});
