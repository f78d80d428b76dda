/** Writes GGUF files and quantized blocks by hand, from the format's definition, for the tests of the reader. */
import { halfBits } from "../../../src/io/bytes/floats";

/** An entry of the header: a value and its type as the format numbers them. */
export type Entry =
  | { type: "uint16" | "uint32" | "int32" | "float32" | "bool" | "uint64"; value: number }
  | { type: "string"; value: string }
  | { type: "strings"; value: readonly string[] }
  | { type: "floats"; value: readonly number[] };

export interface WrittenTensor {
  /** As in PyTorch, slowest axis first. */
  shape: readonly number[];
  /** Number of the type in the format. */
  type: number;
  bytes: Uint8Array;
}

export const u16 = (value: number): Entry => ({ type: "uint16", value });
export const u32 = (value: number): Entry => ({ type: "uint32", value });
export const f32 = (value: number): Entry => ({ type: "float32", value });
export const text = (value: string): Entry => ({ type: "string", value });

const typeNumbers = { uint16: 2, uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, uint64: 10 } as const;
const ARRAY = 9;

/** A GGUF file; data begin at a multiple of `alignment`. */
export function ggufFile(
  entries: Readonly<Record<string, Entry>>,
  tensors: Readonly<Record<string, WrittenTensor>>,
  { version = 3, alignment = 32 } = {},
): Uint8Array {
  const header: Buffer[] = [Buffer.from("GGUF"), int(4, version)];
  header.push(int(8, Object.keys(tensors).length), int(8, Object.keys(entries).length));
  for (const [key, entry] of Object.entries(entries)) header.push(string(key), value(entry));
  const data: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, type, bytes }] of Object.entries(tensors)) {
    const lengths = [...shape].reverse().map((length) => int(8, length));
    header.push(string(name), int(4, shape.length), ...lengths, int(4, type), int(8, offset));
    data.push(Buffer.from(bytes), padding(bytes.length, alignment));
    offset += Math.ceil(bytes.length / alignment) * alignment;
  }
  const length = header.reduce((sum, part) => sum + part.length, 0);
  return Uint8Array.from(Buffer.concat([...header, padding(length, alignment), ...data]));
}

function value(entry: Entry): Buffer {
  if (entry.type === "strings" || entry.type === "floats") {
    const element = entry.type === "strings" ? "string" : "float32";
    const head = [int(4, ARRAY), int(4, typeNumbers[element]), int(8, entry.value.length)];
    const parts = entry.value.map((one) => (typeof one === "string" ? string(one) : float(one)));
    return Buffer.concat([...head, ...parts]);
  }
  const type = int(4, typeNumbers[entry.type]);
  if (entry.type === "string") return Buffer.concat([type, string(entry.value)]);
  if (entry.type === "float32") return Buffer.concat([type, float(entry.value)]);
  return Buffer.concat([
    type,
    int({ uint16: 2, uint32: 4, int32: 4, bool: 1, uint64: 8 }[entry.type], entry.value),
  ]);
}

function string(content: string): Buffer {
  return Buffer.concat([int(8, Buffer.byteLength(content)), Buffer.from(content)]);
}

function int(bytes: number, number: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigUInt64LE(BigInt(number));
  else buffer.writeUIntLE(number, 0, bytes);
  return buffer;
}

function float(number: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(number);
  return buffer;
}

function padding(length: number, alignment: number): Buffer {
  return Buffer.alloc(Math.ceil(length / alignment) * alignment - length);
}

/** A half, little endian. */
export function half(number: number): number[] {
  const bits = halfBits(new Uint32Array(Float32Array.of(number).buffer)[0]);
  return [bits & 255, bits >> 8];
}

/** 32 numbers below 16: the first half in low nibbles, the second in high ones. */
export function nibbles(q: readonly number[]): number[] {
  const half = q.length / 2;
  return Array.from({ length: half }, (_, i) => (q[i] & 15) | ((q[half + i] & 15) << 4));
}

/** One bit of each of 32 numbers, the first in the lowest bit. */
export function bits(q: readonly number[], bit: number): number[] {
  return [0, 1, 2, 3].map((byte) =>
    Array.from({ length: 8 }, (_, i) => ((q[8 * byte + i] >> bit) & 1) << i).reduce((a, b) => a | b),
  );
}

/** 128 numbers below four in 32 bytes: byte i holds numbers i, i + 32, i + 64 and i + 96. */
export function bitPairs(q: readonly number[]): number[] {
  return Array.from({ length: 32 }, (_, i) =>
    [0, 1, 2, 3].reduce((byte, k) => byte | ((q[i + 32 * k] & 3) << (2 * k)), 0),
  );
}

/** Eight scales and eight minima below 64 in 12 bytes, as Q4_K and Q5_K keep them. */
export function packedScales(scales: readonly number[], minima: readonly number[]): number[] {
  const bytes = new Array<number>(12).fill(0);
  for (let i = 0; i < 4; i++) {
    bytes[i] = scales[i] | ((scales[i + 4] >> 4) << 6);
    bytes[i + 4] = minima[i] | ((minima[i + 4] >> 4) << 6);
    bytes[i + 8] = (scales[i + 4] & 15) | ((minima[i + 4] & 15) << 4);
  }
  return bytes;
}

/** Sixteen scales below 64 in 12 bytes, as Q3_K keeps them: low nibbles in eight bytes, high pairs in four. */
export function packedScales3(scales: readonly number[]): number[] {
  const low = Array.from({ length: 8 }, (_, i) => (scales[i] & 15) | ((scales[i + 8] & 15) << 4));
  const high = Array.from({ length: 4 }, (_, i) =>
    [0, 1, 2, 3].reduce((byte, k) => byte | ((scales[i + 4 * k] >> 4) << (2 * k)), 0),
  );
  return [...low, ...high];
}
