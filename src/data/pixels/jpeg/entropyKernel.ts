import {
  forEach,
  type I32Local,
  type Locals,
  repeatWhile,
  wasmFunction,
  when,
} from "../../../core/wasm/function";
import { type Code, type I32, i32 } from "../../../core/wasm/values";
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

/** What reading blocks and reading over them have in common. */
class McuReader {
  readonly entry: I32Local;
  readonly value: I32Local;
  readonly k: I32Local;
  readonly table: I32Local;
  private readonly block: I32Local;
  private readonly bad: I32Local;
  private readonly done: I32Local;

  constructor(
    private readonly p: Record<"blocks" | "blocksEnd" | "count" | "state" | "bottom", I32Local>,
    locals: Locals,
    readonly bits: BitReader,
  ) {
    [this.entry, this.value, this.k, this.table] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    [this.block, this.bad, this.done] = [locals.i32(), locals.i32(), locals.i32()];
  }

  get result(): I32 {
    return this.bad.isZero();
  }

  /** By how much the position advances. */
  get advance(): I32 {
    return this.entry.shiftedRightUnsigned(8).and(255);
  }

  /** The sum of first coefficients so far. */
  get predictor(): I32 {
    return this.block.load(BLOCK.predictor);
  }

  /** All MCUs: of every block the first coefficient, then a step for all others, with something done behind either. */
  code(step: readonly Code[], afterFirst: readonly Code[] = [], atEnd: readonly Code[] = []): Code[] {
    const { p, bits, entry, value, k, table, block, bad, done } = this;
    const readBlock = [
      ...bits.refill,
      ...bits.symbol(block.load(BLOCK.dc), entry, value),
      k.set(i32(1)),
      bad.set(bad.or(this.advance.above(1))),
      this.predictor.store(this.predictor.load().plus(value)),
      ...afterFirst,
      table.set(block.load(BLOCK.ac)),
      repeatWhile([...bits.refill, ...whileInBlock(k, step, AT_ONCE)], inBlock(k)),
      bad.set(bad.or(overrun(k))),
      ...atEnd,
      block.set(block.plus(BLOCK_BYTES)),
    ];
    const mcu = [
      block.set(p.blocks),
      repeatWhile(readBlock, block.below(p.blocksEnd)),
      when(bits.at.below(p.bottom.minus(SLACK / 2)), [bad.set(i32(1)), done.set(p.count)]),
    ];
    return [...bits.load(p.state), forEach(done, p.count, mcu), ...bits.store(p.state)];
  }
}

/**
 * Reads `count` MCUs: every block's i16 [64] from `coefficients` on, which must be zero, and the position behind its last
 * one (a byte) from `ends` on. `order` has the byte offset for every position.
 */
export const readMcus = wasmFunction(
  "readMcus",
  ["blocks", "blocksEnd", "count", "coefficients", "ends", "order", "state", "bottom"],
  (p, locals) => {
    const mcus = new McuReader(p, locals, new BitReader(locals));
    const { bits, entry, value, k, table, predictor, advance } = mcus;
    const coefficient = [
      ...bits.symbol(table, entry, value),
      k.set(k.plus(advance)),
      p.coefficients.plus(p.order.plus(k).loadByte()).storeShort(value),
    ];
    const body = mcus.code(
      coefficient,
      [p.coefficients.storeShort(predictor.load())],
      [
        p.ends.storeByte(k),
        p.coefficients.set(p.coefficients.plus(COEFFICIENT_BYTES)),
        p.ends.set(p.ends.plus(1)),
      ],
    );
    return { body, result: mcus.result };
  },
);

/** Reads over `count` MCUs. */
export const skipMcus = wasmFunction(
  "skipMcus",
  ["blocks", "blocksEnd", "count", "state", "bottom"],
  (p, locals) => {
    const mcus = new McuReader(p, locals, new BitReader(locals));
    const { bits, entry, value, k, table, advance } = mcus;
    const one = [...bits.symbol(table, entry, value), k.set(k.plus(advance))];
    const several = [
      entry.set(bits.look(table).load(SKIP_OFFSET)),
      when(k.plus(advance).above(63), one, [
        k.set(k.plus(entry.shiftedRightUnsigned(16))),
        ...bits.skip(entry),
      ]),
    ];
    return { body: mcus.code(several), result: mcus.result };
  },
);
