import type { HuffmanDefinition } from "./header";

/*
 * Tables that give code, run and value in one look where all three fit `LOOKUP_BITS`, as they mostly do, and tables that
 * read over several coefficients in one look. Shifts take the lowest six bits of an entry as they are: its length.
 *
 * An entry: bits 0-5 the length of code and value, bits 8-15 by how much the position advances, bits 16-31 the value. With
 * SLOW set, bits 16-19 say how many bits of value end it and bits 20-24 how long the code is. With LONG set as well the
 * code goes on: bits 8-31 are the offset of a table for the bits that follow, in bytes.
 */

export const LOOKUP_BITS = 10;
const SUBTABLE_BITS = 16 - LOOKUP_BITS;
export const SUBTABLE_MASK = (1 << SUBTABLE_BITS) - 1;
export const SLOW = 0x80;
export const LONG = 0x40;
/** What an end of block adds to a position: it then lies beyond all that coefficients lead to. */
export const END_OF_BLOCK = 128;
/** What a code that is none adds: the position is too large for coefficients and too small for an end. */
const NO_CODE = 64;

/** Bits 0-5 the length of all symbols, bits 8-15 the coefficients among them, bits 16-31 what the position advances. */
export const SKIP_OFFSET = 4 << LOOKUP_BITS;
const SUBTABLES = (2 * SKIP_OFFSET) / 4;
/** Coefficients of an entry that reads nothing over. */
const NOT_EVEN_ONE = 255;

const built = new Map<string, Int32Array>();
/** Most files use the same few tables. */
const MOST_BUILT = 64;

/** The tables for a definition, or undefined where its codes are none. */
export function huffmanTable(definition: HuffmanDefinition, kind: "dc" | "ac"): Int32Array | undefined {
  const key = kind + Buffer.from(definition).toString("latin1");
  const known = built.get(key);
  if (known) return known;
  const table = build(definition, kind);
  if (built.size >= MOST_BUILT) built.clear();
  if (table) built.set(key, table);
  return table;
}

function build(definition: HuffmanDefinition, kind: "dc" | "ac"): Int32Array | undefined {
  const symbols = definition.subarray(16);
  if (kind === "dc" && symbols.some((symbol) => symbol > 15)) return undefined;
  const table = new Int32Array(SUBTABLES + (prefixesOfLongCodes(definition) << SUBTABLE_BITS));
  table.fill((NO_CODE << 8) | 1);
  let [bits, subtable] = [0, SUBTABLES - (1 << SUBTABLE_BITS)];
  for (let length = 1, next = 0; length <= 16; length++, bits *= 2) {
    for (let i = 0; i < definition[length - 1]; i++, bits++, next++) {
      const free = (length <= LOOKUP_BITS ? LOOKUP_BITS : 16) - length;
      let start = bits << free;
      if (length > LOOKUP_BITS) {
        const prefix = start >> SUBTABLE_BITS;
        if ((table[prefix] & LONG) === 0) {
          subtable += 1 << SUBTABLE_BITS;
          table[prefix] = SLOW | LONG | ((4 * subtable) << 8);
        }
        start = subtable + (start & SUBTABLE_MASK);
      }
      fill(table, start, free, length, symbols[next], kind);
    }
    if (bits > 1 << length) return undefined;
  }
  if (kind === "ac") fillSkipping(table);
  return table;
}

/** At most so many different looks begin codes that are longer. */
function prefixesOfLongCodes(definition: HuffmanDefinition): number {
  let count = 0;
  for (let length = LOOKUP_BITS + 1; length <= 16; length++) count += definition[length - 1];
  return count;
}

/** The entries from `start` on for a code and all that may follow it in `free` bits. */
function fill(
  table: Int32Array,
  start: number,
  free: number,
  length: number,
  symbol: number,
  kind: "dc" | "ac",
): void {
  const size = kind === "dc" ? symbol : symbol & 15;
  const zeros = kind === "dc" ? 0 : symbol >> 4;
  const advance = kind === "ac" && size === 0 && zeros !== 15 ? END_OF_BLOCK : zeros + 1;
  const common = (length + size) | (advance << 8);
  if (size > free) table.fill(common | SLOW | (size << 16) | (length << 20), start, start + (1 << free));
  else {
    const unused = free - size;
    const least = size === 0 ? 0 : 1 << (size - 1);
    for (let rest = 0; rest < 1 << free; rest++) {
      const bits = rest >> unused;
      const value = bits >= least ? bits : bits - 2 * least + 1;
      table[start + rest] = common | (value << 16);
    }
  }
}

/** As many whole symbols as a look holds, up to an end of block. */
function fillSkipping(table: Int32Array): void {
  const mask = (1 << LOOKUP_BITS) - 1;
  for (let look = 0; look <= mask; look++) {
    let length = 0;
    let coefficients = 0;
    let end = 0;
    while (end === 0) {
      const entry = table[(look << length) & mask];
      const step = (entry >> 8) & 255;
      if ((entry & SLOW) !== 0 || step === NO_CODE || length + (entry & 63) > LOOKUP_BITS) break;
      length += entry & 63;
      if (step === END_OF_BLOCK) end = END_OF_BLOCK;
      else coefficients += step;
    }
    const counted = length === 0 ? NOT_EVEN_ONE : coefficients;
    table[SKIP_OFFSET / 4 + look] = length | (counted << 8) | ((coefficients + end) << 16);
  }
}
