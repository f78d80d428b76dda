import { loopWhile, wasmFunction, when } from "../../../core/wasm/function";
import { bytes, i32 } from "../../../core/wasm/values";

/** Bytes behind its source that `unstuff` may read, and zeros that must follow a stream (at lower addresses). */
export const SLACK = 64;

/**
 * Takes the stuffing out of coded data up to the next marker and writes them backwards below `target`, so that eight of
 * them, loaded as a little-endian number, stand in the order of the stream. Gives the marker's address, or `end` where
 * there is none; `bottom` is where the address of the last byte is put.
 */
export const unstuff = wasmFunction("unstuff", ["source", "end", "target", "bottom"], (p, locals) => {
  const [byte, stop] = [locals.i32(), locals.i32()];
  const chunk = locals.v128();
  const backwards = bytes(Array.from({ length: 16 }, (_, i) => 15 - i));
  const put = (count: number) => [
    p.target.set(p.target.minus(1)),
    p.target.storeByte(byte),
    p.source.set(p.source.plus(count)),
  ];
  const one = [
    byte.set(p.source.loadByte()),
    when(
      byte.equals(255),
      [
        when(p.source.loadByte(1).isZero(), put(2), [
          when(p.source.loadByte(1).equals(255), [p.source.set(p.source.plus(1))], [stop.set(i32(1))]),
        ]),
      ],
      put(1),
    ),
  ];
  const body = [
    loopWhile(p.source.below(p.end).and(stop.isZero()), [
      chunk.set(p.source.loadVector()),
      when(
        chunk
          .equalBytes(bytes(Array(16).fill(255)))
          .anyTrue()
          .or(p.source.plus(16).above(p.end)),
        one,
        [
          p.target.set(p.target.minus(16)),
          p.target.storeVector(chunk.picked(backwards)),
          p.source.set(p.source.plus(16)),
        ],
      ),
    ]),
    p.bottom.store(p.target),
  ];
  return { body, result: p.source };
});
