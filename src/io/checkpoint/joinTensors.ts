import { type HostTensor, sizeOf } from "../../core/hostTensor";
import { StoredTensor } from "../bytes";

/** Puts tensors behind one another along an axis; all other axes must agree. Stored halves stay halves. */
export function joinTensors(parts: readonly HostTensor[], axis: number): HostTensor {
  if (parts.length === 1) return parts[0];
  const [{ shape: first, dtype }] = parts;
  const length = parts.reduce((sum, { shape }) => sum + shape[axis], 0);
  const shape = first.map((own, i) => (i === axis ? length : own));
  const runs = sizeOf(first.slice(0, axis));
  const stored = parts.map((part) => (part instanceof StoredTensor ? part.bytes : undefined));
  if (dtype && stored.every((bytes) => bytes !== undefined))
    return new StoredTensor(shape, dtype, interleave(stored as Uint8Array[], runs));
  const floats = parts.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { shape, dtype, data: new Float32Array(interleave(floats, runs).buffer) };
}

/** The first run of each part, then the second of each, and so on. */
function interleave(parts: readonly Uint8Array[], runs: number): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  for (let run = 0, at = 0; run < runs; run++) {
    for (const part of parts) {
      const length = part.length / runs;
      out.set(part.subarray(run * length, (run + 1) * length), at);
      at += length;
    }
  }
  return out;
}
