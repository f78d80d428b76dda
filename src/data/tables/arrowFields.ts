import type { FlatTable } from "./flatbuffer";

/** Names of types in the order of their numbers in Arrow's Schema.fbs. */
const typeNames = (
  "none null int float binary utf8 bool decimal date time timestamp interval list struct union fixedSizeBinary " +
  "fixedSizeList map duration largeBinary largeUtf8 largeList runEndEncoded binaryView utf8View listView largeListView"
).split(" ");
const types = Object.fromEntries(typeNames.map((name, number) => [name, number]));
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
  /** Name of the type in Arrow's schema, or its number where it is not known. */
  readonly type: string;
  /** Of numbers. */
  readonly bits: number;
  readonly signed: boolean;
  /** Where the column holds positions in a dictionary: which, and what numbers these are. */
  readonly dictionary?: Dictionary;
  readonly children: readonly ArrowField[];
  /** Buffers of the column itself, beside the data buffers of views; undefined for a type that is not known. */
  readonly buffers?: number;
}

/** Unions had bits that say which rows are there up to this version of the format. */
const lastVersionWithUnionBits = 3;

/** Fields of a schema's or a field's table; `list` is the number of the vector, `version` that of the format. */
export function fieldsOf(table: FlatTable, list: number, version: number, depth = 0): ArrowField[] {
  if (depth > deepest) throw new Error("columns nested too deeply");
  return table.tables(list).map((field) => {
    const [number, type] = [field.byte(2), field.table(3)];
    const dictionary = dictionaryOf(field.table(4));
    return {
      name: field.text(0),
      type: typeNames[number] ?? `number ${number}`,
      bits:
        number === types.int ? (type?.int(0) ?? 0) : number === types.float ? 16 << (type?.short(0) ?? 0) : 0,
      signed: number === types.int && type?.byte(1) === 1,
      dictionary,
      buffers: dictionary ? 2 : ownBuffers(number, type, version),
      children: fieldsOf(field, 5, version, depth + 1),
    };
  });
}

/** Buffers of a column itself, without those of its children; undefined for types that are not known. */
function ownBuffers(type: number, details: FlatTable | undefined, version: number): number | undefined {
  if (type === types.null || type === types.runEndEncoded) return 0;
  if (type === types.struct || type === types.fixedSizeList) return 1;
  if (type === types.union)
    return (details?.short(0) === 1 ? 2 : 1) + (version <= lastVersionWithUnionBits ? 1 : 0);
  if ([types.binary, types.utf8, types.largeBinary, types.largeUtf8].includes(type)) return 3;
  if (type === types.listView || type === types.largeListView) return 3;
  return type !== types.none && type < typeNames.length ? 2 : undefined;
}

function dictionaryOf(encoding: FlatTable | undefined): Dictionary | undefined {
  if (!encoding) return undefined;
  const index = encoding.table(1);
  const [bits, signed] = index ? [index.int(0), index.byte(1) === 1] : [32, true];
  if (![8, 16, 32, 64].includes(bits)) throw new Error(`positions of ${bits} bits in a dictionary`);
  return { id: encoding.long(0), bits, signed };
}

export function isStruct({ type, dictionary }: ArrowField): boolean {
  return type === "struct" && !dictionary;
}

/** Whether a column holds numbers, whole ones or not. */
export function isNumber({ type, dictionary, bits }: ArrowField): boolean {
  if (dictionary) return false;
  return (
    (type === "int" && [8, 16, 32, 64].includes(bits)) || (type === "float" && [16, 32, 64].includes(bits))
  );
}

/** Whether a column holds runs of bytes, by offsets or by views. */
export function isVariable(field: ArrowField): boolean {
  return !field.dictionary && /^(large)?(binary|utf8)(View)?$/i.test(field.type);
}

/** Whether a column holds, for each row, its bytes if they are few and else where they lie. */
export function isView({ type, dictionary }: ArrowField): boolean {
  return !dictionary && (type === "binaryView" || type === "utf8View");
}

/** Bytes of an offset. */
export function offsetBytes({ type }: ArrowField): 4 | 8 {
  return type.startsWith("large") ? 8 : 4;
}
