import type { Rng } from "../../../src/core/rng";

/** Numbers that mean something large, negative or just past an end. */
const telling = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  1n << 32n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
];
const ones = (1n << 64n) - 1n;

/** Where in a file structure is dense, and what else its format lends itself to. */
export interface Sample {
  readonly bytes: Uint8Array;
  readonly focus: readonly [from: number, to: number];
  /** A change that keeps to the format's grammar, such as another number in a field. */
  readonly fieldChange?: (bytes: Buffer, rng: Rng) => Buffer;
}

/** One to three changes of a sample: bits, bytes, numbers, pieces cut out, repeated, taken from another, fields, ends. */
export function mutate(sample: Sample, others: readonly Sample[], rng: Rng): Buffer {
  let bytes: Buffer = Buffer.from(sample.bytes);
  for (let i = 0; i <= rng.integer(3); i++) {
    if (bytes.length === 0) return bytes;
    bytes = change(bytes, sample, others, rng);
  }
  return bytes;
}

function change(bytes: Buffer, { focus, fieldChange }: Sample, others: readonly Sample[], rng: Rng): Buffer {
  const [from, to] = rng.integer(5) > 0 ? focus : [0, bytes.length];
  const at = Math.min(bytes.length - 1, from + rng.integer(Math.max(1, to - from)));
  const kind = rng.integer(fieldChange ? 14 : 10);
  if (kind < 2) bytes[at] ^= 1 << rng.integer(8);
  else if (kind === 2)
    bytes[at] = [0x00, 0xff, 0x7f, 0x80, 0x28, 0x2e, 0x52, 0x68, 0x30, 0x39][rng.integer(10)];
  else if (kind === 3) bytes[at] = rng.integer(256);
  else if (kind < 6) return withNumber(bytes, at, rng);
  else if (kind === 6)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + rng.integer(12))]);
  else if (kind === 7)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - rng.integer(64)))]);
  else if (kind === 8)
    return rng.integer(4) === 0 ? bytes.subarray(0, rng.integer(bytes.length)) : bytes.subarray(0, at);
  else if (kind === 9) return spliced(bytes, at, others[rng.integer(others.length)].bytes, rng);
  else return fieldChange!(bytes, rng);
  return bytes;
}

/** A telling number of four or eight bytes. */
function withNumber(bytes: Buffer, at: number, rng: Rng): Buffer {
  const near = BigInt(bytes.length + rng.integer(3) - 1);
  const value =
    rng.integer(4) === 0 ? near : rng.integer(4) === 0 ? ones : telling[rng.integer(telling.length)];
  if (rng.integer(2) === 0 && at + 8 <= bytes.length) bytes.writeBigUInt64LE(value & ones, at);
  else if (at + 4 <= bytes.length) bytes.writeUInt32LE(Number(value & 0xffffffffn), at);
  return bytes;
}

function spliced(bytes: Buffer, at: number, other: Uint8Array, rng: Rng): Buffer {
  const start = rng.integer(other.length);
  const piece = other.subarray(start, start + 1 + rng.integer(200));
  const kept = bytes.subarray(at + (rng.integer(2) === 0 ? piece.length : 0));
  return Buffer.concat([bytes.subarray(0, at), piece, kept]);
}

/** What takes bytes by their number; each is watched while `work` runs. */
const arrays = [
  "ArrayBuffer",
  "Uint8Array",
  "Uint16Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
] as const;

/** Bytes of all typed arrays that `work` makes, given by a number or copied from another. */
export async function bytesTaken(work: () => Promise<unknown>): Promise<number> {
  const globals = globalThis as unknown as Record<
    string,
    { new (...args: unknown[]): { byteLength: number } }
  >;
  const originals = arrays.map((name) => globals[name]);
  let taken = 0;
  for (const [i, name] of arrays.entries()) {
    globals[name] = new Proxy(originals[i], {
      construct(target, args, newTarget) {
        const isView = args[0] instanceof ArrayBuffer || args[0] instanceof SharedArrayBuffer;
        const width = (target as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
        if (typeof args[0] === "number") taken += args[0] * width;
        const made = Reflect.construct(target, args, newTarget) as { byteLength: number };
        if (!isView && typeof args[0] !== "number") taken += made.byteLength;
        return made;
      },
    });
  }
  try {
    await work();
  } finally {
    for (const [i, name] of arrays.entries()) globals[name] = originals[i];
  }
  return taken;
}
