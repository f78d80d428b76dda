import { readFileSync } from "node:fs";

/** One tensor of a golden file, row-major. */
export interface GoldenTensor {
  shape: number[];
  dtype: string;
  data: Float32Array | Int32Array | Uint8Array | Float64Array;
}

const readers: Record<string, (bytes: ArrayBuffer) => GoldenTensor["data"]> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => new Float64Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  I64: (bytes) => Int32Array.from(new BigInt64Array(bytes), Number),
  I8: (bytes) => Int32Array.from(new Int8Array(bytes)),
  U8: (bytes) => new Uint8Array(bytes),
  BOOL: (bytes) => new Uint8Array(bytes),
};

/** Reads a whole safetensors file of a golden case. Synchronous and unguarded: for trusted test files only. */
export function readTensors(path: string): Map<string, GoldenTensor> {
  const file = readFileSync(path);
  const headerEnd = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, headerEnd)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, GoldenTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const bytes = Uint8Array.prototype.slice.call(file, headerEnd + offsets[0], headerEnd + offsets[1]);
    const reader = readers[dtype];
    if (!reader) throw new Error(`${path}: tensor ${name} is stored as ${dtype}, which no golden case uses`);
    tensors.set(name, { shape, dtype, data: reader(new Uint8Array(bytes).buffer) });
  }
  return tensors;
}
