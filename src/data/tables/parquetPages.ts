import { LuvitError } from "../../core/errors";
import { tooLarge } from "./labelColumn";
import { readThrift, type ThriftStruct } from "./thrift";

/** How much larger than its stored bytes a page may become, beside what numbers of all its rows take. */
const mostGrowth = 64;
const anyPage = 2 ** 12;
const numberBytes = 16;
/** Entries of a dictionary beside one for each row: some writers keep those that no row has. */
const unusedEntries = 2 ** 20;

/**
 * Walks the pages of a column chunk: they must fill it, hold at most `rows` values each, and unpack to sizes that their
 * stored bytes justify.
 *
 * @throws LuvitError("bad-file" | "bad-dataset"): the second where all together unpack to more than `mostBytes`.
 */
export function expectPages(chunk: Uint8Array, rows: number, what: string, mostBytes: number): void {
  for (let at = 0, values = 0, sum = 0; at < chunk.length; ) {
    const { value: header, end } = readThrift(chunk, at, what);
    const unpacked = numberField(header, 2, what);
    const stored = numberField(header, 3, what);
    if (stored < 0 || stored > chunk.length - end) {
      throw new LuvitError(
        "bad-file",
        `${what}: a page of ${stored} bytes where ${chunk.length - end} are left`,
      );
    }
    expectGrowth(stored, unpacked, rows, `${what}: a page`);
    sum += unpacked;
    if (sum > mostBytes) throw tooLarge(what);
    const count = valuesOf(header, what);
    const isTable = isDictionary(header);
    values += isTable ? 0 : count;
    const most = isTable ? Math.min(Math.max(rows, unpacked), rows + unusedEntries) : rows;
    if (!(count >= 0) || count > most || values > rows) {
      throw new LuvitError("bad-file", `${what}: pages hold more than the ${rows} values of their group`);
    }
    at = end + stored;
  }
}

/**
 * @throws LuvitError("bad-file") where what is stored for some rows would unpack to more than that can be.
 */
export function expectGrowth(stored: number, unpacked: number, rows: number, what: string): void {
  if (unpacked >= 0 && unpacked <= anyPage + mostGrowth * stored + numberBytes * rows) return;
  throw new LuvitError("bad-file", `${what} of ${stored} bytes that would unpack to ${unpacked}`);
}

function isDictionary(header: ThriftStruct): boolean {
  return header.get(1) === 2;
}

/** Headers of data pages (5), dictionaries (7) and data pages of version 2 (8) and their required numbers. */
const pageKinds = [
  { id: 5, required: [1, 2] },
  { id: 7, required: [1, 2] },
  { id: 8, required: [1, 2, 3, 4, 5, 6] },
];

/** The count of values, which comes first in every kind; 0 for pages without any. */
function valuesOf(header: ThriftStruct, what: string): number {
  for (const { id, required } of pageKinds) {
    const page = header.get(id);
    if (!(page instanceof Map)) continue;
    const numbers = required.map((field) => numberField(page, field, what));
    if (numbers.every((value) => value >= 0)) return numbers[0];
    throw new LuvitError("bad-file", `${what}: a page header with a count below 0`);
  }
  return 0;
}

function numberField(struct: ThriftStruct, id: number, what: string): number {
  const value = struct.get(id);
  if (typeof value === "number") return value;
  throw new LuvitError("bad-file", `${what}: a page header without its field ${id}`);
}
