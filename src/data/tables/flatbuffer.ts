/**
 * A table in a flatbuffer, read with every position checked: what a damaged buffer points to is an error of type Error,
 * never memory that is not there. Fields are numbered as in the schema. Reference: flatbuffers.dev/internals.
 */
export class FlatTable {
  private constructor(
    private readonly view: DataView,
    private readonly at: number,
  ) {}

  /** The root of a buffer. */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  byte(field: number): number {
    const at = this.place(field);
    return at === undefined ? 0 : this.view.getUint8(at);
  }

  short(field: number): number {
    const at = this.place(field);
    return at === undefined ? 0 : this.view.getInt16(at, true);
  }

  int(field: number): number {
    const at = this.place(field);
    return at === undefined ? 0 : this.view.getInt32(at, true);
  }

  long(field: number): number {
    const at = this.place(field);
    return at === undefined ? 0 : Number(this.view.getBigInt64(at, true));
  }

  table(field: number): FlatTable | undefined {
    const at = this.place(field);
    return at === undefined ? undefined : new FlatTable(this.view, this.pointed(at));
  }

  text(field: number): string {
    const vector = this.vector(field, 1);
    return Buffer.from(this.view.buffer, this.view.byteOffset + vector.start, vector.length).toString("utf8");
  }

  tables(field: number): FlatTable[] {
    const { start, length } = this.vector(field, 4);
    return Array.from({ length }, (_, i) => new FlatTable(this.view, this.pointed(start + 4 * i)));
  }

  /** Pairs of 64-bit numbers. */
  pairs(field: number): [number, number][] {
    const { start, length } = this.vector(field, 16);
    const long = (at: number) => Number(this.view.getBigInt64(at, true));
    return Array.from({ length }, (_, i) => [long(start + 16 * i), long(start + 16 * i + 8)]);
  }

  longs(field: number): number[] {
    const { start, length } = this.vector(field, 8);
    return Array.from({ length }, (_, i) => Number(this.view.getBigInt64(start + 8 * i, true)));
  }

  private vector(field: number, itemBytes: number): { start: number; length: number } {
    const at = this.place(field);
    if (at === undefined) return { start: 0, length: 0 };
    const start = this.pointed(at);
    const length = this.view.getUint32(start, true);
    if (start + 4 + length * itemBytes > this.view.byteLength)
      throw new Error(`a list of ${length} entries does not fit`);
    return { start: start + 4, length };
  }

  private pointed(at: number): number {
    return at + this.view.getUint32(at, true);
  }

  /** Where a field lies; undefined for one that has its default value. */
  private place(field: number): number | undefined {
    const names = this.at - this.view.getInt32(this.at, true);
    const slot = 4 + 2 * field;
    if (slot + 2 > this.view.getUint16(names, true)) return undefined;
    const offset = this.view.getUint16(names + slot, true);
    return offset === 0 ? undefined : this.at + offset;
  }
}
