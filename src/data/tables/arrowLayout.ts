import { LuvitError } from "../../core/errors";
import type { FlatTable } from "./flatbuffer";

/** Numbers of types in Arrow's Schema.fbs. */
const types = {
  null: 1,
  int: 2,
  binary: 4,
  utf8: 5,
  struct: 13,
  union: 14,
  fixedSizeList: 16,
  largeBinary: 19,
  largeUtf8: 20,
};
const firstUnread = 22;
const deepest = 16;

/** Whole numbers that are positions in a dictionary. */
export interface Dictionary {
  readonly id: number;
  readonly bits: number;
  readonly signed: boolean;
}

/** A column of a schema, or a field of a struct column. */
export interface ArrowField {
  readonly name: string;
  /** Number of the type in Arrow's schema. */
  readonly type: number;
  /** Of whole numbers. */
  readonly bits: number;
  readonly signed: boolean;
  /** Where the column holds positions in a dictionary: which, and what numbers these are. */
  readonly dictionary?: Dictionary;
  readonly children: readonly ArrowField[];
}

/** Where the buffers of one column begin in a record batch's list, and what they are. */
export interface ColumnPlace {
  readonly field: ArrowField;
  /** Position of its first buffer: the bits that say which rows are there. */
  readonly buffer: number;
  readonly node: number;
}

/** Fields of a schema's or a field's table; `list` is the number of the vector. */
export function fieldsOf(table: FlatTable, list: number, depth = 0): ArrowField[] {
  if (depth > deepest) throw new Error("columns nested too deeply");
  return table.tables(list).map((field) => ({
    name: field.text(0),
    type: field.byte(2),
    bits: field.byte(2) === types.int ? (field.table(3)?.int(0) ?? 0) : 0,
    signed: field.table(3)?.byte(1) === 1,
    dictionary: dictionaryOf(field.table(4)),
    children: fieldsOf(field, 5, depth + 1),
  }));
}

function dictionaryOf(encoding: FlatTable | undefined): Dictionary | undefined {
  if (!encoding) return undefined;
  const index = encoding.table(1);
  const [bits, signed] = index ? [index.int(0), index.byte(1) === 1] : [32, true];
  if (![8, 16, 32, 64].includes(bits)) throw new Error(`positions of ${bits} bits in a dictionary`);
  return { id: encoding.long(0), bits, signed };
}

/** Where the values of a column's dictionary lie in its batches. */
export function valuesOf(field: ArrowField): ColumnPlace {
  return { field: { ...field, dictionary: undefined }, buffer: 0, node: 0 };
}

/** Columns, and the fields of struct columns as "column.field", by name. */
export function layoutOf(path: string, fields: readonly ArrowField[]): Map<string, ColumnPlace> {
  const places = new Map<string, ColumnPlace>();
  let buffer = 0;
  let node = 0;
  const visit = (field: ArrowField, name: string): void => {
    places.set(name, { field, buffer, node });
    node++;
    buffer += ownBuffers(path, name, field);
    if (field.dictionary) return; // whose fields, if any, lie with its values
    for (const child of field.children) visit(child, `${name}.${child.name}`);
  };
  for (const field of fields) visit(field, field.name);
  return places;
}

/** Buffers of a column itself, without those of its children. */
function ownBuffers(path: string, name: string, field: ArrowField): number {
  const { type, dictionary } = field;
  if (type >= firstUnread || type === types.union || type === 0) {
    throw new LuvitError(
      "bad-file",
      `${path}: column ${name} has a type that cannot be read (number ${type})`,
    );
  }
  if (dictionary) return 2;
  if (type === types.null) return 0;
  if (isStruct(field) || type === types.fixedSizeList) return 1;
  return isVariable(field) ? 3 : 2;
}

export function isStruct({ type, dictionary }: ArrowField): boolean {
  return type === types.struct && !dictionary;
}

/** Whether a column holds whole numbers. */
export function isInteger({ type, dictionary, bits }: ArrowField): boolean {
  return type === types.int && !dictionary && [8, 16, 32, 64].includes(bits);
}

/** Whether a column holds offsets into a run of bytes. */
export function isVariable(field: ArrowField): boolean {
  if (field.dictionary) return false;
  return isText(field) || field.type === types.binary || field.type === types.largeBinary;
}

export function isText({ type, dictionary }: ArrowField): boolean {
  return !dictionary && (type === types.utf8 || type === types.largeUtf8);
}

/** Bytes of an offset. */
export function offsetBytes({ type }: ArrowField): 4 | 8 {
  return type === types.largeBinary || type === types.largeUtf8 ? 8 : 4;
}

/** Whole numbers of a column's buffer. */
export function readIntegers(
  { bits, signed }: Pick<ArrowField, "bits" | "signed">,
  bytes: Uint8Array,
  rows: number,
): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readers: Record<number, (at: number) => number> = {
    8: (at) => (signed ? view.getInt8(at) : view.getUint8(at)),
    16: (at) => (signed ? view.getInt16(at, true) : view.getUint16(at, true)),
    32: (at) => (signed ? view.getInt32(at, true) : view.getUint32(at, true)),
    64: (at) => Number(view.getBigInt64(at, true)),
  };
  return Array.from({ length: rows }, (_, row) => readers[bits]((row * bits) / 8));
}
