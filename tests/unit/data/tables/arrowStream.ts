/*
 * Arrow streams made by hand, from the format's definition: Message.fbs, Schema.fbs, and flatbuffers' own, of which fields
 * are written without alignment, each in eight bytes.
 */

type Field =
  | { byte: number }
  | { short: number }
  | { int: number }
  | { long: number | bigint }
  | { text: string }
  | { table: Fields }
  | { tables: readonly Fields[] }
  | { longs: readonly (readonly number[])[] };

/** Fields of a table by their numbers. */
export type Fields = Readonly<Record<number, Field>>;

/** A flatbuffer of one table. */
export function flatbuffer(root: Fields): Uint8Array {
  const bytes: number[] = [0, 0, 0, 0];
  const put = (value: number, width: number) => {
    for (let i = 0; i < width; i++) bytes.push((value >>> (8 * i)) & 255);
  };
  const putLong = (value: bigint) => {
    for (let i = 0n; i < 8n; i++) bytes.push(Number((BigInt.asUintN(64, value) >> (8n * i)) & 255n));
  };
  const point = (from: number, to: number) => {
    for (let i = 0; i < 4; i++) bytes[from + i] = ((to - from) >>> (8 * i)) & 255;
  };
  const table = (fields: Fields): number => {
    const numbers = Object.keys(fields).map(Number);
    const slots = Math.max(-1, ...numbers) + 1;
    const [names, at] = [bytes.length, bytes.length + 4 + 2 * slots];
    put(4 + 2 * slots, 2);
    put(4 + 8 * numbers.length, 2);
    for (let slot = 0; slot < slots; slot++) put(slot in fields ? 4 + 8 * numbers.indexOf(slot) : 0, 2);
    put(at - names, 4);
    for (const number of numbers) {
      const field = fields[number];
      const value = Object.values(field)[0];
      putLong("byte" in field || "short" in field || "int" in field || "long" in field ? BigInt(value) : 0n);
    }
    for (const [i, number] of numbers.entries()) {
      const [from, field] = [at + 4 + 8 * i, fields[number]];
      if ("table" in field) point(from, table(field.table));
      if ("text" in field) {
        point(from, bytes.length);
        const text = Buffer.from(field.text);
        put(text.length, 4);
        bytes.push(...text);
      }
      if ("longs" in field) {
        point(from, bytes.length);
        put(field.longs.length, 4);
        for (const row of field.longs) for (const one of row) putLong(BigInt(one));
      }
      if (!("tables" in field)) continue;
      point(from, bytes.length);
      put(field.tables.length, 4);
      const first = bytes.length;
      for (const _ of field.tables) put(0, 4);
      for (const [k, one] of field.tables.entries()) point(first + 4 * k, table(one));
    }
    return at;
  };
  point(0, table(root));
  return Uint8Array.from(bytes);
}

const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);

/** A message with its body. */
export function message(
  kind: number,
  header: Fields,
  body: Uint8Array = new Uint8Array(),
  version = 4,
): Buffer {
  const metadata = padded(
    flatbuffer({
      0: { short: version },
      1: { byte: kind },
      2: { table: header },
      3: { long: body.length },
    }),
  );
  const head = Buffer.alloc(8, 255);
  head.writeInt32LE(metadata.length, 4);
  return Buffer.concat([head, metadata, padded(body)]);
}

/** Numbers of types in Schema.fbs. */
export const types = {
  ...{ int: 2, float: 3, binary: 4, utf8: 5, bool: 6, struct: 13 },
  ...{ largeBinary: 19, binaryView: 23, utf8View: 24 },
} as const;

/** A column of a schema. */
export function column(name: string, type: number, details: Fields = {}, more: Fields = {}): Fields {
  return { 0: { text: name }, 2: { byte: type }, 3: { table: details }, ...more };
}

export const schema = (columns: readonly Fields[], more: Fields = {}) =>
  message(1, { 1: { tables: columns }, ...more });

/** Columns of a batch: whether rows are missing, and its buffers. */
export interface Part {
  readonly nulls?: number;
  readonly buffers: readonly Uint8Array[];
}

/** Header and body of rows. */
export function batchParts(
  rows: number,
  parts: readonly Part[],
  more: Fields = {},
): { header: Fields; body: Uint8Array } {
  const buffers = parts.flatMap((part) => part.buffers);
  let at = 0;
  const places = buffers.map(({ length }) => {
    at += Math.ceil(length / 8) * 8;
    return [at - Math.ceil(length / 8) * 8, length];
  });
  const header = {
    0: { long: rows },
    1: { longs: parts.map(({ nulls = 0 }) => [rows, nulls]) },
    2: { longs: places },
    ...more,
  };
  return { header, body: Buffer.concat(buffers.map(padded)) };
}

export function batch(rows: number, parts: readonly Part[], more: Fields = {}): Buffer {
  const { header, body } = batchParts(rows, parts, more);
  return message(3, header, body);
}

export function dictionary(id: number, rows: number, part: Part, isDelta = false): Buffer {
  const { header, body } = batchParts(rows, [part]);
  return message(2, { 0: { long: id }, 1: { table: header }, 2: { byte: Number(isDelta) } }, body);
}

/** The bytes of texts behind one another with their offsets of 4 or 8 bytes; `undefined` is a missing row. */
export function texts(rows: readonly (string | undefined)[], width: 4 | 8 = 4): Part {
  const offsets = new DataView(new ArrayBuffer(width * (rows.length + 1)));
  let [at, bits] = [0, 0];
  for (const [i, row] of rows.entries()) {
    at += Buffer.byteLength(row ?? "");
    if (row !== undefined) bits |= 1 << i;
    if (width === 4) offsets.setInt32(4 * (i + 1), at, true);
    else offsets.setBigInt64(8 * (i + 1), BigInt(at), true);
  }
  return {
    nulls: rows.filter((row) => row === undefined).length,
    buffers: [Uint8Array.of(bits), new Uint8Array(offsets.buffer), Buffer.from(rows.join(""))],
  };
}
