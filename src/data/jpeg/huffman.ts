import type { HuffmanDefinition } from "./header";

/*
 * Tables that give code, run and value in one look where all three fit `LOOKUP_BITS`, as they mostly do.
 *
 * An entry: bits 0-4 length, bits 8-15 run of zeros before the value, bits 16-31 the value. With WITHOUT_VALUE set the
 * length is the code's alone and bits 16-31 say how many bits of value follow. Zero: the code is longer than the look.
 */

export const LOOKUP_BITS = 10;
export const WITHOUT_VALUE = 0x80;
/** The run of an end of block: beyond every position. */
export const END_OF_BLOCK = 128;

/** Bytes of a table; for lengths 11 to 16 there follow the first code that is too large, what leads to symbols, entries. */
export const LOOKUP_BYTES = 4 << LOOKUP_BITS;
export const LIMITS = LOOKUP_BYTES;
export const OFFSETS = LIMITS + 4 * 17;
export const ENTRIES = OFFSETS + 4 * 17;
export const TABLE_BYTES = ENTRIES + 4 * 256;

const built = new Map<string, Int32Array>();
/** Most files use the same few tables. */
const MOST_BUILT = 64;

/** The table for a definition, or undefined where its codes are none. */
export function huffmanTable(definition: HuffmanDefinition, kind: "dc" | "ac"): Int32Array | undefined {
  const key = kind + Buffer.from(definition).toString("latin1");
  const known = built.get(key);
  if (known) return known;
  const table = build(definition, kind);
  if (built.size >= MOST_BUILT) built.clear();
  if (table) built.set(key, table);
  return table;
}

/** Length, run and number of value bits. */
function entryOf(length: number, symbol: number, kind: "dc" | "ac"): number {
  const size = kind === "dc" ? symbol : symbol & 15;
  const zeros = kind === "dc" ? 0 : symbol >> 4;
  const run = kind === "ac" && size === 0 && zeros !== 15 ? END_OF_BLOCK : zeros;
  return length | WITHOUT_VALUE | (run << 8) | (size << 16);
}

function build(definition: HuffmanDefinition, kind: "dc" | "ac"): Int32Array | undefined {
  const symbols = definition.subarray(16);
  if (kind === "dc" && symbols.some((symbol) => symbol > 15)) return undefined;
  const table = new Int32Array(TABLE_BYTES / 4);
  let [code, next] = [0, 0];
  for (let length = 1; length <= 16; length++) {
    table[OFFSETS / 4 + length] = next - code;
    for (let i = 0; i < definition[length - 1]; i++, next++, code++) {
      const entry = entryOf(length, symbols[next], kind);
      table[ENTRIES / 4 + next] = entry;
      if (length <= LOOKUP_BITS) fill(table, code, length, entry);
    }
    if (code > 1 << length) return undefined;
    table[LIMITS / 4 + length] = code;
    code *= 2;
  }
  return table;
}

/** Every look that begins with a code. */
function fill(table: Int32Array, code: number, length: number, entry: number): void {
  const free = LOOKUP_BITS - length;
  const size = entry >> 16;
  for (let rest = 0; rest < 1 << free; rest++) {
    table[(code << free) | rest] =
      size > free ? entry : withValue(entry, length, size, rest >> (free - size));
  }
}

function withValue(entry: number, length: number, size: number, bits: number): number {
  const value = size === 0 || bits >= 1 << (size - 1) ? bits : bits - (1 << size) + 1;
  return (value << 16) | (entry & 0xff00) | (length + size);
}
