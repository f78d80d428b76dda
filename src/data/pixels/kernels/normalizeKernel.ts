import { forEach, loopWhile, repeatWhile, wasmFunction, when } from "../../../core/wasm/function";
import { bytes, floats, i32, type V128 } from "../../../core/wasm/values";

/**
 * RGB bytes, in rows `line` apart, to three planes of float32 through a table of 3 x 256 numbers, mirrored left to right
 * where `step` is -3 and `first` the offset of a row's last pixel, else 3 and 0.
 */
export const planes = wasmFunction(
  "planes",
  ["source", "line", "width", "height", "first", "step", "table", "target"],
  (p, locals) => {
    const [y, from, end, plane] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const channels = [0, 1, 2].map((c) => {
      const index = from.loadByte(c).shiftedLeft(2);
      const address = c === 0 ? p.target : p.target.plus(c === 1 ? plane : plane.shiftedLeft(1));
      return address.storeF32(p.table.plus(index).loadF32(1024 * c));
    });
    return {
      body: [
        plane.set(p.width.times(p.height).shiftedLeft(2)),
        forEach(y, p.height, [
          from.set(p.source.plus(p.first)),
          end.set(p.target.plus(p.width.shiftedLeft(2))),
          loopWhile(p.target.below(end), [
            ...channels,
            from.set(from.plus(p.step)),
            p.target.set(p.target.plus(4)),
          ]),
          p.source.set(p.source.plus(p.line)),
        ]),
      ],
    };
  },
);

const ZERO = 255;
/** Pixels done at a time. */
export const PIXELS = 4;
/** One channel of four pixels, from left to right or back, as 32-bit lanes. */
const channel = (c: number, mirrored: boolean) =>
  bytes(Array.from({ length: PIXELS }, (_, k) => [3 * (mirrored ? 3 - k : k) + c, ZERO, ZERO, ZERO]).flat());
const each = (value: number) => floats(Array(4).fill(value));

/** 1 / 255 in two parts: a byte times the first is exact, so that what both give is rounded once, as a division is. */
const [most, rest] = [257 / 65536, 1 / 255 - 257 / 65536];
const unit = (values: V128) => values.timesFloats(each(most)).plusFloats(values.timesFloats(each(rest)));

/**
 * RGB bytes, in rows `line` apart, at least four pixels long, to three planes of float32, (byte / 255 - mean) / deviation
 * with the three means and then the deviations from `numbers`; mirrored left to right if `mirrored` is not 0. Every
 * operation is rounded to single precision as a number by itself would be. Reads four bytes behind a row.
 */
export const normalizedPlanes = wasmFunction(
  "normalizedPlanes",
  ["source", "line", "width", "height", "mirrored", "numbers", "target"],
  (p, locals) => {
    const [y, x, next, base, to, plane] = Array.from({ length: 6 }, () => locals.i32());
    const vectors = (length: number) => Array.from({ length }, () => locals.v128());
    const [picks, means, deviations] = [vectors(3), vectors(3), vectors(3)];
    const [pixels, values] = vectors(2);
    const choose = (mirrored: boolean) => picks.map((pick, c) => pick.set(channel(c, mirrored)));
    const offset = x.times(3);
    const channels = picks.flatMap((pick, c) => [
      values.set(pixels.picked(pick).toFloats()),
      (c === 0 ? to : to.plus(c === 1 ? plane : plane.shiftedLeft(1))).storeVector(
        unit(values).minusFloats(means[c]).dividedByFloats(deviations[c]),
      ),
    ]);
    const fourPixels = [
      when(p.mirrored, [base.set(p.width.minus(PIXELS).times(3).minus(offset))], [base.set(offset)]),
      pixels.set(p.source.plus(base).loadVector()),
      to.set(p.target.plus(x.shiftedLeft(2))),
      ...channels,
      next.set(x.plus(PIXELS)),
      x.set(next.atMost(p.width.minus(PIXELS))),
    ];
    return {
      body: [
        when(p.mirrored, choose(true), choose(false)),
        ...means.map((mean, c) => mean.set(p.numbers.loadInLanes(4 * c))),
        ...deviations.map((deviation, c) => deviation.set(p.numbers.loadInLanes(12 + 4 * c))),
        plane.set(p.width.times(p.height).shiftedLeft(2)),
        forEach(y, p.height, [
          x.set(i32(0)),
          repeatWhile(fourPixels, next.below(p.width)),
          p.source.set(p.source.plus(p.line)),
          p.target.set(p.target.plus(p.width.shiftedLeft(2))),
        ]),
      ],
    };
  },
);
