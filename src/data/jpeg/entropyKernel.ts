import { forEach, type I32Local, repeatWhile, wasmFunction, when } from "../../core/wasm/function";
import { type Code, i32 } from "../../core/wasm/values";
import { BitReader } from "./bitReader";
import { END_OF_BLOCK, SKIP_OFFSET } from "./huffman";
import { SLACK } from "./unstuffKernel";

/*
 * The entropy code of MCUs, which are sequences of blocks. Reading over blocks keeps nothing of them but the sums that
 * later blocks begin with. Both give 1 where the stream made sense so far, else 0.
 */

/** Offsets in a block's description, in bytes. */
export const BLOCK = { dc: 0, ac: 4, predictor: 8 };
export const BLOCK_BYTES = 12;
/** Positions in a file's order, from 1 on, that runs may lead to. */
export const ORDER_BYTES = 65 + END_OF_BLOCK;
export const COEFFICIENT_BYTES = 2 * 64;
/** Position behind a block of nothing but its first coefficient. */
export const ONLY_DC = 1 + END_OF_BLOCK;

/** Coefficients that fit between two refills. */
const AT_ONCE = 4;

const inBlock = (k: I32Local) => k.below(64);
const overrun = (k: I32Local) => k.above(64).and(k.below(END_OF_BLOCK));

/** Does a step up to so many times, the rest only while the position lies in the block. */
const whileInBlock = (k: I32Local, step: readonly Code[], times: number): Code[] =>
  times === 1 ? [...step] : [...step, when(inBlock(k), whileInBlock(k, step, times - 1))];

/**
 * Reads `count` MCUs: every block's i16 [64] from `coefficients` on, which must be zero, and the position behind its last
 * one (a byte) from `ends` on. `order` has the byte offset for every position.
 */
export const readMcus = wasmFunction(
  "readMcus",
  ["blocks", "blocksEnd", "count", "coefficients", "ends", "order", "state", "bottom"],
  (p, locals) => {
    const reader = new BitReader(locals);
    const [entry, value, k, table] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [block, bad, done] = [locals.i32(), locals.i32(), locals.i32()];
    const predictor = () => block.load(BLOCK.predictor);
    const advance = (start: I32Local) => start.plus(entry.shiftedRightUnsigned(8).and(255));
    const coefficient = [
      ...reader.symbol(table, entry, value),
      k.set(advance(k)),
      p.coefficients.plus(p.order.plus(k).loadByte()).storeShort(value),
    ];
    const readBlock = [
      ...reader.refill,
      ...reader.symbol(block.load(BLOCK.dc), entry, value),
      k.set(i32(1)),
      bad.set(bad.or(entry.shiftedRightUnsigned(8).and(255).above(1))),
      predictor().store(predictor().load().plus(value)),
      p.coefficients.storeShort(predictor().load()),
      table.set(block.load(BLOCK.ac)),
      repeatWhile([...reader.refill, ...whileInBlock(k, coefficient, AT_ONCE)], inBlock(k)),
      p.ends.storeByte(k),
      bad.set(bad.or(overrun(k))),
      p.coefficients.set(p.coefficients.plus(COEFFICIENT_BYTES)),
      p.ends.set(p.ends.plus(1)),
      block.set(block.plus(BLOCK_BYTES)),
    ];
    const mcu = [
      block.set(p.blocks),
      repeatWhile(readBlock, block.below(p.blocksEnd)),
      when(reader.at.below(p.bottom.minus(SLACK / 2)), [bad.set(i32(1)), done.set(p.count)]),
    ];
    const body = [...reader.load(p.state), forEach(done, p.count, mcu), ...reader.store(p.state)];
    return { body, result: bad.isZero() };
  },
);

/** Reads over `count` MCUs. */
export const skipMcus = wasmFunction(
  "skipMcus",
  ["blocks", "blocksEnd", "count", "state", "bottom"],
  (p, locals) => {
    const reader = new BitReader(locals);
    const [entry, value, k, table] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [block, bad, done] = [locals.i32(), locals.i32(), locals.i32()];
    const predictor = () => block.load(BLOCK.predictor);
    const one = [
      ...reader.symbol(table, entry, value),
      k.set(k.plus(entry.shiftedRightUnsigned(8).and(255))),
    ];
    const several = [
      entry.set(reader.look(table).load(SKIP_OFFSET)),
      when(k.plus(entry.shiftedRightUnsigned(8).and(255)).above(63), one, [
        k.set(k.plus(entry.shiftedRightUnsigned(16))),
        ...reader.skip(entry),
      ]),
    ];
    const skipBlock = [
      ...reader.refill,
      ...reader.symbol(block.load(BLOCK.dc), entry, value),
      k.set(i32(1)),
      bad.set(bad.or(entry.shiftedRightUnsigned(8).and(255).above(1))),
      predictor().store(predictor().load().plus(value)),
      table.set(block.load(BLOCK.ac)),
      repeatWhile([...reader.refill, ...whileInBlock(k, several, AT_ONCE)], inBlock(k)),
      bad.set(bad.or(overrun(k))),
      block.set(block.plus(BLOCK_BYTES)),
    ];
    const mcu = [
      block.set(p.blocks),
      repeatWhile(skipBlock, block.below(p.blocksEnd)),
      when(reader.at.below(p.bottom.minus(SLACK / 2)), [bad.set(i32(1)), done.set(p.count)]),
    ];
    const body = [...reader.load(p.state), forEach(done, p.count, mcu), ...reader.store(p.state)];
    return { body, result: bad.isZero() };
  },
);
