import { LuvitError } from "../../core/errors";

/** Thrown inside the pickle reader when the bytes at hand end before the pickle does. */
export class PickleEndsEarly extends LuvitError {}

/** Longest integer of a pickle that is read, in bytes; torch's magic number has ten. */
const LONGEST_INTEGER = 256;

/** A cursor over pickle bytes. Every read past the end throws `PickleEndsEarly` (LuvitError "bad-file"). */
export class PickleInput {
  private readonly view: DataView;
  private static readonly decoder = new TextDecoder();

  constructor(
    private readonly source: string,
    private readonly data: Uint8Array,
    public position = 0,
  ) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get length(): number {
    return this.data.length;
  }

  /** Moves past `count` bytes and returns where they began. */
  skip(count: number): number {
    const start = this.position;
    if (count > this.data.length - start) {
      throw new PickleEndsEarly("bad-file", `${this.source}: the pickle is cut off`);
    }
    this.position = start + count;
    return start;
  }

  uint8(): number {
    return this.data[this.skip(1)];
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  uint64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }

  bigEndianDouble(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  /** A two's complement little-endian integer; a bigint only when a number cannot hold it exactly. */
  long(byteCount: number): number | bigint {
    if (byteCount > LONGEST_INTEGER) {
      throw new LuvitError("bad-file", `${this.source}: damaged pickle: an integer of ${byteCount} bytes`);
    }
    const start = this.skip(byteCount);
    let value = 0n;
    for (let i = byteCount - 1; i >= 0; i--) value = value * 256n + BigInt(this.data[start + i]);
    if (byteCount > 0 && this.data[start + byteCount - 1] >= 0x80) value -= 256n ** BigInt(byteCount);
    const asNumber = Number(value);
    return Number.isSafeInteger(asNumber) ? asNumber : value;
  }

  /** Those of the pickle themselves, not a copy. */
  bytes(count: number): Uint8Array {
    const start = this.skip(count);
    return this.data.subarray(start, start + count);
  }

  text(byteCount: number): string {
    const start = this.skip(byteCount);
    return PickleInput.decoder.decode(this.data.subarray(start, start + byteCount));
  }

  /** Text up to the next newline, which is passed over. */
  line(): string {
    const end = this.data.indexOf(0x0a, this.position);
    const text = this.text((end < 0 ? this.data.length + 1 : end) - this.position);
    this.position++;
    return text;
  }
}
