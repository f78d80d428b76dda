import type { ImageReader } from "./imageReader";

/** Memory for the images of batches, the same again where they are asked for no longer. */
export class BatchMemory {
  private readonly free: Float32Array[] = [];
  private readonly out: Float32Array[] = [];
  private readonly fromReader: Float32Array[] = [];
  private readonly reads = new Set<Promise<unknown>>();

  constructor(
    private readonly reader: ImageReader,
    private readonly most: number,
    private readonly reuse: number,
  ) {}

  take(length: number): Float32Array {
    if (this.reuse === Number.POSITIVE_INFINITY) return new Float32Array(length);
    return (this.free.pop() ?? this.fresh()).subarray(0, length);
  }

  /** Notes what still writes to the memory. */
  writtenBy(reads: readonly Promise<unknown>[]): void {
    if (this.reuse === Number.POSITIVE_INFINITY) return;
    const all: Promise<unknown> = Promise.allSettled(reads).then(() => this.reads.delete(all));
    this.reads.add(all);
  }

  handOut({ buffer, byteOffset }: Float32Array): void {
    if (this.reuse !== Number.POSITIVE_INFINITY)
      this.out.push(new Float32Array(buffer, byteOffset, this.most));
  }

  /** The next batch is asked for. */
  takeBack(): void {
    while (this.out.length >= this.reuse) this.free.push(this.out.shift()!);
  }

  /** Nothing is asked for any more. What is being read may still be written. */
  async close(): Promise<void> {
    await Promise.all(this.reads);
    for (const numbers of this.fromReader) this.reader.giveBack?.(numbers);
  }

  private fresh(): Float32Array {
    const common = this.reader.take?.(this.most);
    if (common) this.fromReader.push(common);
    return common ?? new Float32Array(this.most);
  }
}
