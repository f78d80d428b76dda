import { type I32Local, loopWhile } from "../../../core/wasm/function";
import type { Code, I32 } from "../../../core/wasm/values";

/** Repeats `body` from address `at` on until `end`. */
export const advancing = (at: I32Local, end: I32, step: number, body: readonly Code[]): Code =>
  loopWhile(at.below(end), [...body, at.set(at.plus(step))]);

/** Stores a color in all pixels up to an address, and one byte more. */
export const fillUpTo = (at: I32Local, end: I32, color: I32): Code =>
  advancing(at, end, 3, [at.store(color)]);

/** Bytes of a pixel's column and row in a list. */
export const ENTRY_BYTES = 8;

/** Appends a pixel's column and row to a list. */
export const append = (list: I32Local, column: I32, row: I32): Code[] => [
  list.store(column),
  list.store(row, 4),
  list.set(list.plus(ENTRY_BYTES)),
];
