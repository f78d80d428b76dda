import { forEach, loopWhile, wasmFunction } from "../../core/wasm/function";

/**
 * RGB bytes, in rows `line` apart, to three planes of float32 through a table of 3 x 256 numbers, mirrored left to right where `step` is -3 and
 * `first` the offset of a row's last pixel, else 3 and 0.
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
