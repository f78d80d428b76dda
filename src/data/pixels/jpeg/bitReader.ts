import { type I32Local, type Local, type Locals, when } from "../../../core/wasm/function";
import { type Code, type I32, type I64, i32 } from "../../../core/wasm/values";
import { LONG, LOOKUP_BITS, SLOW, SUBTABLE_MASK } from "./huffman";

/** Where a stream is left between calls, in bytes: the next bits, their number, the address of those behind them. */
const STATE = { window: 0, bits: 8, at: 12 };
export const STATE_BYTES = 16;

/**
 * The bits of an unstuffed stream, whose bytes lie backwards: the next ones stand at the top of a window of 64, at least
 * 56 of them after `refill`. Only the lowest six bits of `bits` count.
 */
export class BitReader {
  private readonly window: Local<I64>;
  private readonly bits: I32Local;
  readonly at: I32Local;

  constructor(locals: Locals) {
    [this.window, this.bits, this.at] = [locals.i64(), locals.i32(), locals.i32()];
  }

  load(state: I32): Code[] {
    return [
      this.window.set(state.loadI64(STATE.window)),
      this.bits.set(state.load(STATE.bits)),
      this.at.set(state.load(STATE.at)),
    ];
  }

  store(state: I32): Code[] {
    return [
      state.storeI64(this.window, STATE.window),
      state.store(this.bits.and(63), STATE.bits),
      state.store(this.at, STATE.at),
    ];
  }

  get refill(): Code[] {
    const { window, bits, at } = this;
    return [
      window.set(window.or(at.loadI64().shiftedRightUnsigned(bits.toI64()))),
      at.set(at.minus(bits.xor(63).shiftedRightUnsigned(3).and(7))),
      bits.set(bits.or(56)),
    ];
  }

  /** The address of the entry for the next bits. */
  look = (table: I32) =>
    table.plus(
      this.window
        .shiftedRightUnsigned(i32(64 - LOOKUP_BITS).toI64())
        .toI32()
        .shiftedLeft(2),
    );

  skip = (length: I32): Code[] => [
    this.window.set(this.window.shiftedLeft(length.toI64())),
    this.bits.set(this.bits.minus(length)),
  ];

  /** The next entry of a table and its value. LOOKUP_BITS have to be there and at most as many are used up, or refilled. */
  symbol(table: I32, entry: I32Local, value: I32Local): Code[] {
    return [
      entry.set(this.look(table).load()),
      when(
        entry.and(SLOW),
        [...this.refill, ...this.slowSymbol(table, entry, value), ...this.refill],
        [value.set(entry.shiftedRight(16)), ...this.skip(entry)],
      ),
    ];
  }

  private slowSymbol(table: I32, entry: I32Local, value: I32Local): Code[] {
    const { window } = this;
    const size = entry.shiftedRightUnsigned(16).and(15);
    const following = window.shiftedRightUnsigned(i32(48).toI64()).toI32().and(SUBTABLE_MASK);
    const after = window.shiftedLeft(entry.shiftedRightUnsigned(20).and(31).toI64());
    const long = [entry.set(table.plus(entry.shiftedRightUnsigned(8)).plus(following.shiftedLeft(2)).load())];
    /** Zero for numbers that begin with a one, else -1: those are negative. */
    const negative = after.shiftedRightUnsigned(i32(63).toI64()).toI32().minus(1);
    const signedValue = [
      value.set(
        after
          .shiftedRightUnsigned(i32(1).toI64())
          .shiftedRightUnsigned(i32(63).minus(size).toI64())
          .toI32()
          .plus(negative.and(i32(1).minus(i32(1).shiftedLeft(size)))),
      ),
    ];
    return [
      when(entry.and(LONG), long),
      when(entry.and(SLOW), signedValue, [value.set(entry.shiftedRight(16))]),
      ...this.skip(entry),
    ];
  }
}

/** Puts a state at the beginning of the stream that ends, at higher addresses, below `top`. */
export function setState(state: Int32Array, top: number): void {
  state.set([0, 0, 0, top - 8]);
}

/** Bits of the stream down to `bottom` that were not read; negative where more were read than there are. */
export function unreadBits(state: Int32Array, bottom: number): number {
  const [, , bits, at] = state;
  return 8 * (at + 8 - bottom) + bits;
}
