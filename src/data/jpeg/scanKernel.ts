import { forEach, loopWhile, repeatWhile, wasmFunction, when } from "../../core/wasm/function";
import { bytes, i32 } from "../../core/wasm/values";
import { END_OF_BLOCK, ENTRIES, LIMITS, LOOKUP_BITS, OFFSETS, WITHOUT_VALUE } from "./huffman";
import { InverseDct } from "./idctKernel";

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

/** Offsets in a block's description, of 32-bit integers. */
export const BLOCK = {
  dc: 0,
  ac: 4,
  predictor: 8,
  quantization: 12,
  target: 16,
  stepX: 20,
  stepY: 24,
  stride: 28,
};
export const BLOCK_BYTES = 32;
/** Positions of the file's order, and those that runs behind the last one lead to: byte offsets, all into the spare one. */
export const ORDER_BYTES = 64 + 192;
export const COEFFICIENT_BYTES = 2 * 64 + 16;

/**
 * Decodes `count` MCUs from (`row`, `column`) on. Those in columns `left` … `right` and rows from `top` on are transformed
 * to samples, the others only read over. The stream ends at `bottom` and begins below `streamTop`. Gives 1 where it was
 * whole and made sense, else 0.
 */
export const decodeMcus = wasmFunction(
  "decodeMcus",
  [
    "blocks",
    "blocksEnd",
    "mcusPerRow",
    "row",
    "column",
    "count",
    "left",
    "right",
    "top",
    "streamTop",
    "bottom",
    "coefficients",
    "order",
  ],
  (p, locals) => {
    const [window, at, bits] = [locals.i64(), locals.i32(), locals.i32()];
    const [entry, length, k, value, table, block] = Array.from({ length: 6 }, () => locals.i32());
    const [done, kept, bad, target, steps] = Array.from({ length: 5 }, () => locals.i32());
    const dct = new InverseDct(locals);
    const topBits = (count: ReturnType<typeof i32>) =>
      window.shiftedRightUnsigned(i32(64).minus(count).toI64()).toI32();
    const skip = (count: typeof length) => [
      window.set(window.shiftedLeft(count.toI64())),
      bits.set(bits.minus(count)),
    ];
    const refill = [
      window.set(window.or(at.loadI64().shiftedRightUnsigned(bits.toI64()))),
      at.set(at.minus(i32(63).minus(bits).shiftedRightUnsigned(3))),
      bits.set(bits.or(56)),
    ];
    const longCode = [
      length.set(i32(LOOKUP_BITS + 1)),
      loopWhile(
        length.below(17).and(topBits(length).atLeast(table.plus(length.shiftedLeft(2)).load(LIMITS))),
        [length.set(length.plus(1))],
      ),
      when(
        length.below(17),
        [
          entry.set(
            table
              .plus(
                topBits(length)
                  .plus(table.plus(length.shiftedLeft(2)).load(OFFSETS))
                  .and(255)
                  .shiftedLeft(2),
              )
              .load(ENTRIES),
          ),
        ],
        [bad.set(i32(1)), entry.set(i32((END_OF_BLOCK << 8) | 1))],
      ),
    ];
    const valueBits = [
      length.set(entry.shiftedRightUnsigned(16)),
      when(
        length,
        [
          value.set(topBits(length)),
          when(value.below(i32(1).shiftedLeft(length.minus(1))), [
            value.set(value.plus(1).minus(i32(1).shiftedLeft(length))),
          ]),
          ...skip(length),
        ],
        [value.set(i32(0))],
      ),
    ];
    /** Run in `entry`, value in `value`. */
    const symbol = [
      ...refill,
      entry.set(table.plus(topBits(i32(LOOKUP_BITS)).shiftedLeft(2)).load()),
      when(entry.isZero(), longCode),
      length.set(entry.and(31)),
      ...skip(length),
      value.set(entry.shiftedRight(16)),
      when(entry.and(WITHOUT_VALUE), valueBits),
    ];
    const coefficient = [
      ...symbol,
      k.set(k.plus(entry.shiftedRightUnsigned(8).and(255))),
      p.coefficients.plus(p.order.plus(k).loadByte()).storeShort(value),
      k.set(k.plus(1)),
    ];
    const predictor = () => block.load(BLOCK.predictor);
    const readBlock = [
      table.set(block.load(BLOCK.dc)),
      ...symbol,
      predictor().store(predictor().load().plus(value)),
      p.coefficients.storeShort(predictor().load()),
      table.set(block.load(BLOCK.ac)),
      k.set(i32(1)),
      repeatWhile(coefficient, k.below(64)),
      bad.set(bad.or(k.above(64).and(k.below(END_OF_BLOCK)))),
    ];
    const zeros = i32(0).inLanes();
    const clear = Array.from({ length: 8 }, (_, i) => p.coefficients.storeVector(zeros, 16 * i));
    const stride = block.load(BLOCK.stride);
    /** What the transform makes of a block that is all of one value. */
    const flat = [
      value.set(
        p.coefficients
          .loadShort()
          .times(block.load(BLOCK.quantization).loadShort())
          .plus(4)
          .shiftedRight(3)
          .plus(128),
      ),
      value.set(value.atMost(i32(255))),
      when(value.below(0), [value.set(i32(0))]),
      steps.set(i32(0)),
      repeatWhile(
        [target.storeHalf(value.inBytes(), 0), target.set(target.plus(stride)), steps.set(steps.plus(1))],
        steps.below(8),
      ),
    ];
    const onlyDc = k.equals(1 + END_OF_BLOCK + 1);
    const transform = [
      target.set(
        block
          .load(BLOCK.target)
          .plus(p.column.minus(p.left).times(block.load(BLOCK.stepX)))
          .plus(p.row.minus(p.top).times(block.load(BLOCK.stepY))),
      ),
      when(onlyDc, flat, dct.code(p.coefficients, block.load(BLOCK.quantization), target, stride)),
    ];
    const mcu = [
      kept.set(p.row.atLeast(p.top).and(p.column.atLeast(p.left)).and(p.column.above(p.right).isZero())),
      block.set(p.blocks),
      repeatWhile(
        [
          ...readBlock,
          when(kept, transform),
          when(onlyDc.isZero(), clear),
          block.set(block.plus(BLOCK_BYTES)),
        ],
        block.below(p.blocksEnd),
      ),
      p.column.set(p.column.plus(1)),
      when(p.column.equals(p.mcusPerRow), [p.column.set(i32(0)), p.row.set(p.row.plus(1))]),
      // A stream that ended long ago reads zeros from what lies below it.
      when(at.below(p.bottom.minus(SLACK / 2)), [bad.set(i32(1)), done.set(p.count)]),
    ];
    const body = [at.set(p.streamTop.minus(8)), ...clear, forEach(done, p.count, mcu)];
    const unread = at.plus(8).shiftedLeft(3).plus(bits).minus(p.bottom.shiftedLeft(3));
    return { body, result: bad.isZero().and(unread.atLeast(0)) };
  },
);
