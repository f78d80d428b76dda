import type { Planes } from "../pixels";
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
    /** Whether images are the bytes before normalization. */
    private readonly isBytes: boolean,
  ) {}

  take(length: number): Planes {
    if (this.reuse === Number.POSITIVE_INFINITY)
      return this.isBytes ? new Uint8Array(length) : new Float32Array(length);
    const room = this.free.pop() ?? this.fresh();
    return this.isBytes ? new Uint8Array(room.buffer, room.byteOffset, length) : room.subarray(0, length);
  }

  /** Notes what still writes to the memory. */
  writtenBy(reads: readonly Promise<unknown>[]): void {
    if (this.reuse === Number.POSITIVE_INFINITY) return;
    const all: Promise<unknown> = Promise.allSettled(reads).then(() => this.reads.delete(all));
    this.reads.add(all);
  }

  handOut({ buffer, byteOffset }: Planes): void {
    if (this.reuse !== Number.POSITIVE_INFINITY)
      this.out.push(new Float32Array(buffer, byteOffset, this.length));
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
    const common = this.reader.take?.(this.length);
    if (common) this.fromReader.push(common);
    return common ?? new Float32Array(this.length);
  }

  /** Of the room for a batch, in units of four bytes. */
  private get length(): number {
    return this.isBytes ? Math.ceil(this.most / 4) : this.most;
  }
}
