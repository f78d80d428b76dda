import { widenToFloat32 } from "../../io/bytes";
import type { ArrowField } from "./arrowFields";

/** What numbers are made of. */
type NumberType = Pick<ArrowField, "bits" | "signed"> & { readonly type: string };

type ReadNumber = (view: DataView, at: number) => number;

/** Numbers of a column's buffer. */
export function readNumbers({ type, bits, signed }: NumberType, bytes: Uint8Array, rows: number): number[] {
  if (type === "float" && bits === 16) return [...widenToFloat32(bytes.subarray(0, 2 * rows), "F16")];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = type === "float" ? floats[bits] : integers(signed)[bits];
  return Array.from({ length: rows }, (_, row) => read(view, (row * bits) / 8));
}

const floats: Record<number, ReadNumber> = {
  32: (view, at) => view.getFloat32(at, true),
  64: (view, at) => view.getFloat64(at, true),
};

const integers = (signed: boolean): Record<number, ReadNumber> => ({
  8: (view, at) => (signed ? view.getInt8(at) : view.getUint8(at)),
  16: (view, at) => (signed ? view.getInt16(at, true) : view.getUint16(at, true)),
  32: (view, at) => (signed ? view.getInt32(at, true) : view.getUint32(at, true)),
  64: (view, at) => Number(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true)),
});

/** One of a buffer's bits, the lowest of a byte first. */
export function bitAt(bits: Uint8Array, row: number): boolean {
  return ((bits[row >> 3] >> (row & 7)) & 1) === 1;
}
