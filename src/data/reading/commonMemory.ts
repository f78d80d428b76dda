import { createMemory, type WasmMemory } from "../../core/wasm/binary";
import type { Region } from "../pixels";

/** Room to work for each thread, and for batches; taken from the system as it is written to. */
const WORK_BYTES = 64 * 2 ** 20;
const BATCH_BYTES = 2 ** 30;
const ALIGNMENT = 64;

/** Memory that threads and their caller share: threads write what they made where the caller wants it. */
export class CommonMemory {
  private readonly memory: WasmMemory;
  /** Starts of what is taken, with their ends. */
  private readonly taken = new Map<number, number>();
  private readonly batchStart: number;

  constructor(threads: number) {
    this.batchStart = threads * WORK_BYTES;
    this.memory = createMemory(this.batchStart + BATCH_BYTES, true);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** For one of the threads. */
  region(thread: number): Region {
    return { memory: this.memory, start: thread * WORK_BYTES, end: (thread + 1) * WORK_BYTES };
  }

  /** Room for so many numbers, or undefined where there is none. */
  take(length: number): Float32Array | undefined {
    const bytes = Math.ceil((4 * length) / ALIGNMENT) * ALIGNMENT;
    let start = this.batchStart;
    for (const [other, end] of [...this.taken].sort(([a], [b]) => a - b)) {
      if (start + bytes <= other) break;
      start = end;
    }
    if (start + bytes > this.buffer.byteLength) return undefined;
    this.taken.set(start, start + bytes);
    return new Float32Array(this.buffer, start, length);
  }

  /** Nobody reads or writes what `take` gave any longer. */
  giveBack(numbers: Float32Array): void {
    if (numbers.buffer === this.buffer) this.taken.delete(numbers.byteOffset);
  }
}
