import { closeSync, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { LuvitError } from "../../core/errors";
import { identityOf } from "../../core/fileIdentity";
import { gitLfsPointer, LONGEST_POINTER } from "../../core/gitLfsPointer";
import { openFlags } from "../../core/readWhole";

/** Files that nobody can read from any more are closed. */
const forgotten = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/**
 * A regular file, and so a source of bytes, that is read at once, whenever its bytes are needed. It stays open, so that
 * they stay there when it is deleted, or another takes its name; one that was written into in the meantime is refused.
 */
export class KeptFile {
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

  /** Whether this is the file of that status, unchanged. */
  isAt(status: Stats): boolean {
    return identityOf(status) === this.identity;
  }

  get identity(): string {
    return identityOf(this.opened);
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
    if (!this.isAt(fstatSync(descriptor)))
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
      throw new LuvitError("bad-file", `${path}: not a regular file`, { cause }); // a socket
    throw openFailure(path, cause);
  }
}

/** What to say of a file that could not be opened. */
export function openFailure(path: string, cause: unknown): LuvitError {
  if (cause instanceof LuvitError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new LuvitError("missing-file", `${path}: no such file`, { cause });
  return new LuvitError("bad-file", `${path}: cannot be opened (${message})`, { cause });
}

/** @throws LuvitError("bad-file") for a range that leaves a file of `size` bytes. */
export function requireRange(name: string, size: number, start: number, end: number): void {
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end;
  if (!valid || end > size) {
    throw new LuvitError(
      "bad-file",
      `${name}: bytes ${start} to ${end} are needed, the file has ${size} (cut off or damaged?)`,
    );
  }
}

/** Bytes of a kept file. */
export class KeptStretch {
  constructor(
    readonly file: KeptFile,
    readonly start: number,
    readonly end: number,
  ) {}

  /** @throws LuvitError("bad-file") as `KeptFile.readNow`. */
  read(): Uint8Array {
    return this.file.readNow(this.start, this.end);
  }
}
