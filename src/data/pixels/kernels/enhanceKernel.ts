import { forEach, loopWhile, wasmFunction } from "../../../core/wasm/function";
import { bytes, i32, shorts, type V128 } from "../../../core/wasm/values";
import { advancing } from "./pixelCode";

const ZERO = 255;

/** ITU-R 601 luma in 16-bit fixed point, as Pillow's conversion to "L"; green's weight is halved to fit a short. */
const [RED, HALF_GREEN, BLUE] = [19595, 19235, 7471];

/** Channels `first` and `first` + 1 of four pixels as pairs of 16-bit lanes. */
const channelPairs = (first: number) =>
  bytes(Array.from({ length: 4 }, (_, k) => [3 * k + first, ZERO, 3 * k + first + 1, ZERO]).flat());
/** One channel of four pixels as 32-bit lanes. */
const channel = (c: number) =>
  bytes(Array.from({ length: 4 }, (_, k) => [3 * k + c, ZERO, ZERO, ZERO]).flat());
const pairOf = (a: number, b: number) => shorts([a, b, a, b, a, b, a, b]);

const laneNumbers = bytes(new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer));

/** Luma of four pixels as 32-bit lanes. */
const luma = (pixels: V128) =>
  pixels
    .picked(channelPairs(0))
    .dot(pairOf(RED, HALF_GREEN))
    .plus(pixels.picked(channelPairs(1)).dot(pairOf(HALF_GREEN, BLUE)))
    .plus(i32(0x8000).inLanes())
    .shiftedRight(16);

/** The sum of all pixels' luma, good for up to 2^24 pixels; reads 16 bytes behind the last one. */
export const lumaSum = wasmFunction("lumaSum", ["source", "pixels"], (p, locals) => {
  const end = locals.i32();
  const [values, sums, left] = [locals.v128(), locals.v128(), locals.v128()];
  const counted = (lane: number) => sums.lane(lane);
  return {
    body: [
      end.set(p.source.plus(p.pixels.and(-4).times(3))),
      advancing(p.source, end, 12, [values.set(p.source.loadVector()), sums.set(sums.plus(luma(values)))]),
      values.set(p.source.loadVector()),
      left.set(p.pixels.and(3).inLanes()),
      sums.set(sums.plus(luma(values).and(laneNumbers.below(left)))),
    ],
    result: counted(0).plus(counted(1)).plus(counted(2)).plus(counted(3)),
  };
});

/** Away from or towards a dull value, in single precision as Pillow's blend: floored integers, which clip to its bytes. */
const away = (dull: V128, difference: V128, factor: V128) =>
  dull.toFloats().plusFloats(factor.timesFloats(difference.toFloats())).floored();

/** Red, green and blue of four pixels that lie one channel after another. */
const interleaved = bytes(
  Array.from({ length: 16 }, (_, i) => (i < 12 ? 4 * (i % 3) + Math.floor(i / 3) : ZERO)),
);

/**
 * Moves RGB pixels away from their luma by a factor (the bits of a number of single precision) to another place; reads
 * and writes up to 16 bytes behind the last one.
 */
export const saturate = wasmFunction("saturate", ["source", "pixels", "factor", "target"], (p, locals) => {
  const end = locals.i32();
  const [values, gray, factor] = [locals.v128(), locals.v128(), locals.v128()];
  const [red, green, blue] = [0, 1, 2].map((c) => {
    const difference = values.picked(channel(c)).minus(gray);
    return away(gray, difference, factor);
  });
  const planar = red.narrowedToShorts(green).narrowedToBytes(blue.narrowedToShorts(blue));
  return {
    body: [
      end.set(p.source.plus(p.pixels.times(3))),
      factor.set(p.factor.inLanes()),
      advancing(p.source, end, 12, [
        values.set(p.source.loadVector()),
        gray.set(luma(values)),
        p.target.storeVector(planar.picked(interleaved)),
        p.target.set(p.target.plus(12)),
      ]),
    ],
  };
});

/** Sums of 0 … 13 x 255 divided by 13 and rounded; the constants hold for all of them. */
const thirteenth = (sum: V128) =>
  sum
    .shortsShiftedLeft(3)
    .plusShorts(shorts(Array(8).fill(3)))
    .timesFractions(shorts(Array(8).fill(315)));

/**
 * Moves the inner pixels of an image away from themselves smoothed by [1 1 1; 1 5 1; 1 1 1] / 13, rounded, by a factor
 * (the bits of a number of single precision). `source` and `target` are the second row's; `height` counts inner rows.
 * The outermost pixels of these rows stay. Reads up to 11 and writes up to 8 bytes behind a row.
 */
export const sharpen = wasmFunction(
  "sharpen",
  ["source", "line", "height", "target", "factor"],
  (p, locals) => {
    const [y, x, from, to] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [center, smooth, difference, factor] = Array.from({ length: 4 }, () => locals.v128());
    const rows = [from.minus(p.line), from, from.plus(p.line)];
    const around = rows.flatMap((row) => [-3, 0, 3].map((side) => row.plus(side).loadBytesAsShorts()));
    const sum = around.reduce((a, b) => a.plusShorts(b)).plusShorts(center.shortsShiftedLeft(2));
    const half = (name: "lowShortsAsLanes" | "highShortsAsLanes") =>
      away(smooth[name](), difference[name](), factor);
    const moved = half("lowShortsAsLanes").narrowedToShorts(half("highShortsAsLanes"));
    const keepPixel = (offset: number) => [
      to.storeShort(from.loadShort(offset), offset),
      to.storeByte(from.loadByte(offset + 2), offset + 2),
    ];
    const eight = [
      center.set(from.loadBytesAsShorts()),
      smooth.set(thirteenth(sum)),
      difference.set(center.minusShorts(smooth)),
      to.storeHalf(moved.narrowedToBytes(moved), 0),
      from.set(from.plus(8)),
      to.set(to.plus(8)),
      x.set(x.plus(8)),
    ];
    return {
      body: [
        factor.set(p.factor.inLanes()),
        forEach(y, p.height, [
          from.set(p.source),
          to.set(p.target),
          ...keepPixel(0),
          from.set(from.plus(3)),
          to.set(to.plus(3)),
          x.set(i32(3)),
          loopWhile(x.below(p.line.minus(3)), eight),
          from.set(p.source.plus(p.line).minus(3)),
          to.set(p.target.plus(p.line).minus(3)),
          ...keepPixel(0),
          p.source.set(p.source.plus(p.line)),
          p.target.set(p.target.plus(p.line)),
        ]),
      ],
    };
  },
);
