import { LuvitError } from "../../core/errors";

/** Thrown when the bytes at hand end before the header does, though the file does not. */
export class HeaderGoesOn extends Error {}

/** More header than any model has (LLaMA 3, whose vocabulary is in it: 8 MB). */
const LONGEST_HEADER = 256 * 2 ** 20;

/** A cursor over the first bytes of a GGUF file. */
export class GgufInput {
  position = 0;
  private readonly view: DataView;
  private static readonly decoder = new TextDecoder();

  constructor(
    private readonly source: { readonly name: string; readonly size: number },
    private readonly bytes: Uint8Array,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes of the file after the cursor. */
  get left(): number {
    return this.source.size - this.position;
  }

  /** Moves past `length` bytes and returns where they began. */
  skip(length: number, what: string): number {
    if (length > this.left) this.fail(`${what} takes ${length} bytes, the file has ${this.left} left`);
    const start = this.position;
    if (start + length > LONGEST_HEADER) this.fail(`the header is longer than ${LONGEST_HEADER} bytes`);
    if (start + length > this.bytes.length) throw new HeaderGoesOn();
    this.position = start + length;
    return start;
  }

  uint32(what: string): number {
    return this.view.getUint32(this.skip(4, what), true);
  }

  /** As a double: exact below 2^53; anything above fails the checks of whoever asked. */
  uint64(what: string): number {
    return Number(this.view.getBigUint64(this.skip(8, what), true));
  }

  /** A count of things that take at least `leastBytes` each; more than the file can hold are refused. */
  count(what: string, leastBytes: number): number {
    const count = this.uint64(what);
    if (count * leastBytes > this.left) {
      this.fail(`${what}: ${count}, the file has ${this.left} bytes left for them`);
    }
    return count;
  }

  text(what: string): string {
    const length = this.uint64(what);
    const start = this.skip(length, what);
    return GgufInput.decoder.decode(this.bytes.subarray(start, start + length));
  }

  number(type: NumberType, what: string): number {
    return numberReaders[type](this.view, this.skip(numberBytes[type], what));
  }

  fail(problem: string): never {
    throw new LuvitError("bad-file", `${this.source.name}: not a GGUF file that can be read: ${problem}`);
  }
}

/** Value types of fixed length, by their names in the format. */
export type NumberType =
  | "UINT8"
  | "INT8"
  | "UINT16"
  | "INT16"
  | "UINT32"
  | "INT32"
  | "FLOAT32"
  | "BOOL"
  | "UINT64"
  | "INT64"
  | "FLOAT64";

export const numberBytes: Readonly<Record<NumberType, number>> = {
  UINT8: 1,
  INT8: 1,
  UINT16: 2,
  INT16: 2,
  UINT32: 4,
  INT32: 4,
  FLOAT32: 4,
  BOOL: 1,
  UINT64: 8,
  INT64: 8,
  FLOAT64: 8,
};

const numberReaders: Readonly<Record<NumberType, (view: DataView, at: number) => number>> = {
  UINT8: (view, at) => view.getUint8(at),
  INT8: (view, at) => view.getInt8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  INT16: (view, at) => view.getInt16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  FLOAT32: (view, at) => view.getFloat32(at, true),
  BOOL: (view, at) => view.getUint8(at),
  UINT64: (view, at) => Number(view.getBigUint64(at, true)),
  INT64: (view, at) => Number(view.getBigInt64(at, true)),
  FLOAT64: (view, at) => view.getFloat64(at, true),
};
