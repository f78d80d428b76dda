import { loopWhile, wasmFunction } from "../../../core/wasm/function";
import { bytes, i32, shorts, type V128 } from "../../../core/wasm/values";

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
    const [times3, left, right] = [locals.v128(), locals.v128(), locals.v128()];
    const tripled = (value: V128) => value.plusShorts(value.shortsShiftedLeft(1));
    const column = (offset: number) =>
      tripled(p.near.plus(i).plus(offset).loadBytesAsShorts()).plusShorts(
        p.far.plus(i).plus(offset).loadBytesAsShorts(),
      );
    const lanes = (first: number) => Array.from({ length: 16 }, (_, byte) => 2 * first + byte);
    const mixed = (neighbor: V128, rounding: V128) =>
      times3.plusShorts(neighbor).plusShorts(rounding).shortsShiftedRightUnsigned(4);
    const body = [
      i.set(i32(0)),
      before.set(column(-8)),
      here.set(column(0)),
      left.set(p.roundLeft.inShorts()),
      right.set(p.roundRight.inShorts()),
      loopWhile(i.below(p.count), [
        after.set(column(8)),
        times3.set(tripled(here)),
        p.target
          .plus(i.shiftedLeft(1))
          .storeVector(
            mixed(before.mixed(here, lanes(7)), left).or(
              mixed(here.mixed(after, lanes(1)), right).shortsShiftedLeft(8),
            ),
          ),
        before.set(here),
        here.set(after),
        i.set(i.plus(8)),
      ]),
    ];
    return { body };
  },
);

/** Luma and two of chroma, all of full size, to RGB. */
export const yccToRgb = wasmFunction("yccToRgb", ["y", "cb", "cr", "count", "target"], (p, locals) => {
  const end = locals.i32();
  const [luma, blueness, redness] = [locals.v128(), locals.v128(), locals.v128()];
  const [reds, greens, blues] = [0, 1, 2].map(() => [locals.v128(), locals.v128()]);
  const [red, green, blue] = [locals.v128(), locals.v128(), locals.v128()];
  const pairs = [locals.v128(), locals.v128()];
  const middle = i32(128).inShorts();
  const rounding = i32(1 << 15).inLanes();
  // Factors of 1.402, -0.34414, -0.71414 and 1.772, less whole ones; the first and last give every sample what 16 bits
  // of fraction give it.
  const [redPart, bluePart] = [i32(13175).inShorts(), i32(-7471).inShorts()];
  const greenParts = shorts([0, 1, 2, 3].flatMap(() => [-22554, 65536 - 46802]));
  const greenPart = (upper: number) =>
    blueness.inTurn(redness, 2, upper).dot(greenParts).plus(rounding).shiftedRight(16);
  const eight = (offset: number, k: number) => [
    luma.set(p.y.loadBytesAsShorts(offset)),
    blueness.set(p.cb.loadBytesAsShorts(offset).minusShorts(middle)),
    redness.set(p.cr.loadBytesAsShorts(offset).minusShorts(middle)),
    reds[k].set(luma.plusShorts(redness).plusShorts(redness.timesFractions(redPart))),
    greens[k].set(luma.minusShorts(redness).plusShorts(greenPart(0).narrowedToShorts(greenPart(1)))),
    blues[k].set(
      luma.plusShorts(blueness.shortsShiftedLeft(1)).plusShorts(blueness.timesFractions(bluePart)),
    ),
  ];
  const clipped = ([a, b]: readonly V128[]) => a.narrowedToBytes(b);
  const withoutGaps = bytes([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 128, 128, 128, 128]);
  const store = (upper: number) => [
    pairs[0].set(red.inTurn(green, 1, upper)),
    pairs[1].set(blue.inTurn(blue, 1, upper)),
    ...[0, 1].map((half) =>
      p.target.storeVector(pairs[0].inTurn(pairs[1], 2, half).picked(withoutGaps), 24 * upper + 12 * half),
    ),
  ];
  const body = [
    end.set(p.y.plus(p.count)),
    loopWhile(p.y.below(end), [
      ...[...eight(0, 0), ...eight(8, 1)],
      red.set(clipped(reds)),
      green.set(clipped(greens)),
      blue.set(clipped(blues)),
      ...[...store(0), ...store(1)],
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
