import { type FileHandle, open } from "node:fs/promises";
import { LuvitError } from "../../core/errors";
import { gitLfsPointer, LONGEST_POINTER } from "../../core/gitLfsPointer";
import { openRegularFile } from "../../core/readWhole";

/** Short reads next to one another are one read of so many bytes. */
const WINDOW_BYTES = 2 ** 15;

/** The file of a table, open while it is looked through; later it is opened for every read. */
export class TableFile {
  private window = new Uint8Array();
  private windowStart = 0;

  private constructor(
    readonly path: string,
    readonly size: number,
    private handle: FileHandle | undefined,
  ) {}

  /**
   * Looks through a table file. What goes wrong in it that is not this library's error becomes "bad-file".
   *
   * @throws LuvitError("bad-file") for a Git LFS pointer.
   */
  static opened<T>(path: string, step: (file: TableFile) => Promise<T>): Promise<T> {
    return reading(path, "a table", async () => {
      const { file: handle, size } = await openRegularFile(path);
      const file = new TableFile(path, size, handle);
      try {
        const pointer = gitLfsPointer(await file.read(0, Math.min(LONGEST_POINTER, file.size)));
        if (pointer) throw new LuvitError("bad-file", `${path}: ${pointer}`);
        return await step(file);
      } finally {
        file.handle = undefined;
        file.window = new Uint8Array();
        await handle.close();
      }
    });
  }

  /**
   * Bytes [start, end).
   *
   * @throws LuvitError("bad-file") where the file ends before.
   */
  async read(start: number, end: number): Promise<Uint8Array> {
    if (end > this.size) {
      throw new LuvitError("bad-file", `${this.path}: ends at byte ${this.size}, before ${end}`);
    }
    if (!this.handle || end - start > WINDOW_BYTES) return this.readNow(start, end);
    if (start < this.windowStart || end > this.windowStart + this.window.length) {
      this.window = await this.readNow(start, Math.min(this.size, start + WINDOW_BYTES));
      this.windowStart = start;
    }
    return this.window.slice(start - this.windowStart, end - this.windowStart);
  }

  private async readNow(start: number, end: number): Promise<Uint8Array> {
    const handle = this.handle ?? (await open(this.path, "r"));
    try {
      const bytes = new Uint8Array(end - start);
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
        if (bytesRead === 0) {
          throw new LuvitError("bad-file", `${this.path}: ended at byte ${start + done} while it was read`);
        }
        done += bytesRead;
      }
      return bytes;
    } finally {
      if (handle !== this.handle) await handle.close();
    }
  }
}

/** Reads something of a table file; what goes wrong in it that is not this library's error becomes "bad-file". */
export async function reading<T>(path: string, kind: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof LuvitError) throw cause;
    throw new LuvitError("bad-file", `${path}: cannot be read as ${kind} (${reasonOf(cause)})`, { cause });
  }
}

/** What a decoder says; where it stumbled over what it did not expect, its own words mean nothing to a reader. */
function reasonOf(cause: unknown): string {
  if (cause instanceof TypeError || cause instanceof RangeError)
    return "its structure is damaged; copy it again";
  return (cause as Error).message;
}
