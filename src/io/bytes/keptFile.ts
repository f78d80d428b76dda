import { closeSync, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { LuvitError } from "../../core/errors";
import { gitLfsPointer, LONGEST_POINTER } from "../../core/gitLfsPointer";
import { openFlags } from "../../core/readWhole";
import { type ByteSource, openFailure, requireRange } from "./byteSource";

/** Files that nobody can read from any more are closed. */
const forgotten = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/**
 * A regular file that is read at once, whenever its bytes are needed. It stays open, so that its bytes stay there when it
 * is deleted, or another takes its name; one that was written into in the meantime is refused.
 */
export class KeptFile implements ByteSource {
  private readonly opened: Stats;
  private descriptor: number | undefined;

  /** @throws LuvitError("missing-file" | "bad-file") as `fileSource`. */
  constructor(readonly name: string) {
    const descriptor = openedDescriptor(name);
    this.descriptor = descriptor;
    forgotten.register(this, descriptor, this);
    try {
      this.opened = fstatSync(descriptor);
      if (!this.opened.isFile()) throw new LuvitError("bad-file", `${name}: not a regular file`);
      const pointer = this.size <= LONGEST_POINTER ? gitLfsPointer(this.readNow(0, this.size)) : undefined;
      if (pointer) throw new LuvitError("bad-file", `${name}: ${pointer}`);
    } catch (error) {
      this.closeNow();
      throw error;
    }
  }

  get size(): number {
    return this.opened.size;
  }

  /**
   * Bytes start (inclusive) to end (exclusive), in an array of their own.
   *
   * @throws LuvitError("bad-file") when the range leaves the file, the file has changed, or it was closed.
   */
  readNow(start: number, end: number): Uint8Array {
    const { name, descriptor, size } = this;
    requireRange(name, size, start, end);
    if (descriptor === undefined) throw new LuvitError("bad-file", `${name}: was closed`);
    const { mtimeMs, size: sizeNow } = fstatSync(descriptor);
    if (mtimeMs !== this.opened.mtimeMs || sizeNow !== size)
      throw new LuvitError("bad-file", `${name}: was written into since it was opened; load it again`);
    const bytes = new Uint8Array(end - start);
    try {
      for (let filled = 0; filled < bytes.length; ) {
        const count = readSync(descriptor, bytes, filled, bytes.length - filled, start + filled);
        if (count === 0) throw new Error("it became shorter");
        filled += count;
      }
    } catch (cause) {
      throw new LuvitError("bad-file", `${name}: reading failed (${(cause as Error).message})`, { cause });
    }
    return bytes;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    return this.readNow(start, end);
  }

  async close(): Promise<void> {
    this.closeNow();
  }

  private closeNow(): void {
    const { descriptor } = this;
    if (descriptor === undefined) return;
    this.descriptor = undefined;
    forgotten.unregister(this);
    closeSync(descriptor);
  }
}

function openedDescriptor(path: string): number {
  try {
    return openSync(path, openFlags);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENXIO")
      throw new LuvitError("bad-file", `${path}: not a regular file`); // a socket
    throw openFailure(path, cause);
  }
}
