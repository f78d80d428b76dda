import { inflateSync } from "node:zlib";
import { LuvitError } from "../../core/errors";

/** Text, numbers, or the fields of a struct array with a value for each of its elements. */
export type MatValue = string | Float64Array | Map<string, MatValue[]>;

/** Numbers of bytes of MAT's numeric types, by type code. */
const readers: Record<number, { bytes: number; at: (view: DataView, offset: number) => number }> = {
  1: { bytes: 1, at: (view, at) => view.getInt8(at) },
  2: { bytes: 1, at: (view, at) => view.getUint8(at) },
  3: { bytes: 2, at: (view, at) => view.getInt16(at, true) },
  4: { bytes: 2, at: (view, at) => view.getUint16(at, true) },
  5: { bytes: 4, at: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, at: (view, at) => view.getUint32(at, true) },
  7: { bytes: 4, at: (view, at) => view.getFloat32(at, true) },
  9: { bytes: 8, at: (view, at) => view.getFloat64(at, true) },
  12: { bytes: 8, at: (view, at) => Number(view.getBigInt64(at, true)) },
  13: { bytes: 8, at: (view, at) => Number(view.getBigUint64(at, true)) },
  16: { bytes: 1, at: (view, at) => view.getUint8(at) },
  17: { bytes: 2, at: (view, at) => view.getUint16(at, true) },
};
const matrixType = 14;
const compressedType = 15;
const structClass = 2;
const charClass = 4;
const numericClasses = [6, 15];
const largest = 64e6;

interface Element {
  readonly type: number;
  readonly data: Buffer;
  /** Bytes up to the next element. */
  readonly length: number;
}

/**
 * Variables of a MAT file of level 5, little-endian: real numbers, text and struct arrays (the development kit of ILSVRC
 * 2012 has no others); variables of other kinds are left out. Reference: MATLAB, MAT-File Format.
 *
 * @throws LuvitError("bad-file")
 */
export function readMat(path: string, bytes: Buffer): Map<string, MatValue> {
  const values = new Map<string, MatValue>();
  try {
    if (bytes.length < 128 || bytes.toString("latin1", 126, 128) !== "IM") throw new Error("no MAT 5 header");
    for (const element of elements(bytes.subarray(128))) {
      const whole = element.type === compressedType ? inflated(element.data) : element;
      if (whole.type !== matrixType) continue;
      const { name, value } = readMatrix(whole.data);
      if (value !== undefined) values.set(name, value);
    }
    return values;
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: cannot be read as a MAT file (${(cause as Error).message})`, {
      cause,
    });
  }
}

function inflated(data: Buffer): Element {
  return readElement(inflateSync(data, { maxOutputLength: largest }), 0);
}

function* elements(bytes: Buffer): Generator<Element> {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const element = readElement(bytes, at);
    yield element;
    at += element.length;
  }
}

/** Small elements have their length in the upper half of the type and the data right after it. */
function readElement(bytes: Buffer, at: number): Element {
  const word = bytes.readUInt32LE(at);
  const small = word >>> 16;
  if (small > 0) return { type: word & 0xffff, data: slice(bytes, at + 4, Math.min(small, 4)), length: 8 };
  const size = bytes.readUInt32LE(at + 4);
  const padded = word === compressedType ? size : Math.ceil(size / 8) * 8;
  return { type: word, data: slice(bytes, at + 8, size), length: 8 + padded };
}

function slice(bytes: Buffer, at: number, size: number): Buffer {
  if (at + size <= bytes.length) return bytes.subarray(at, at + size);
  throw new Error(`an element of ${size} bytes where ${bytes.length - at} are left`);
}

function readMatrix(data: Buffer): { name: string; value?: MatValue } {
  if (data.length === 0) return { name: "" };
  const [flags, dims, name, ...rest] = [...elements(data)];
  if (!name) throw new Error("a matrix without flags, dimensions or name");
  const kind = flags.data[0];
  const text = name.data.toString("latin1");
  if (kind === structClass) return { name: text, value: readStruct(rest, numbers(dims)) };
  if (kind === charClass) {
    return { name: text, value: rest[0] ? String.fromCharCode(...numbers(rest[0]).subarray(0, 4096)) : "" };
  }
  if (kind < numericClasses[0] || kind > numericClasses[1]) return { name: text };
  return { name: text, value: rest[0] ? numbers(rest[0]) : new Float64Array() };
}

function readStruct([width, names, ...cells]: Element[], dims: Float64Array): Map<string, MatValue[]> {
  const step = numbers(width)[0];
  const fields = Array.from({ length: Math.floor(names.data.length / step) }, (_, i) =>
    names.data.toString("latin1", i * step, (i + 1) * step).replace(/\0[\s\S]*$/, ""),
  );
  const count = dims.reduce((product, length) => product * length, 1);
  if (cells.length !== count * fields.length) {
    throw new Error(`${cells.length} values in a struct array of ${count} x ${fields.length}`);
  }
  const values = cells.map((cell) => readMatrix(cell.data).value ?? "");
  return new Map(fields.map((field, f) => [field, values.filter((_, i) => i % fields.length === f)]));
}

function numbers({ type, data }: Element): Float64Array {
  const reader = readers[type];
  if (!reader) throw new Error(`numbers of unknown type ${type}`);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return Float64Array.from({ length: Math.floor(data.length / reader.bytes) }, (_, i) =>
    reader.at(view, i * reader.bytes),
  );
}
