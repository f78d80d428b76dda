import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { LuvitError } from "../../core/errors";
import { gitLfsPointer, LONGEST_POINTER } from "../../core/gitLfsPointer";
import { openRegularFile } from "../../core/readWhole";
import { KeptFile, openFailure, requireRange } from "./keptFile";

/** Bytes start (inclusive) to end (exclusive). */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Something that can be read at any position: a file, bytes in memory, a counted or remote view of either. */
export interface ByteSource {
  /** For messages, e.g. the path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Bytes start (inclusive) to end (exclusive).
   *
   * @throws LuvitError("bad-file") when the range leaves the source.
   */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Many stretches, each into an array of its own that is handed to `use` when it is full; only sources that can do it
   * better than one by one have it. */
  readMany?(ranges: readonly Stretch[], use: (index: number, bytes: Uint8Array) => void): Promise<void>;
  /** The same file for reading at any later time; undefined where another is in its place, or it has changed. */
  keep?(): KeptFile | undefined;
  close(): Promise<void>;
}

/**
 * Long reads go in pieces, two at a time: most of their time is the system's, handing out fresh memory and copying into
 * it, and that runs beside itself.
 */
const PIECE = 2 ** 23;
const LANES = 2;

/**
 * Opens a regular file for positional reads.
 *
 * @throws LuvitError("missing-file" | "bad-file"): "missing-file" when there is no such file, "bad-file" when it is a
 * folder, pipe, device or a Git LFS pointer.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const { file: handle, size } = await openedFile(path);
  if (size <= LONGEST_POINTER) await refusePointer(handle, path, size);
  const opened = await handle.stat();
  let kept: KeptFile | undefined;
  return {
    name: path,
    size,
    keep: () => {
      kept ??= keptAs(path, opened);
      return kept;
    },
    read: async (start, end) => {
      requireRange(path, size, start, end);
      return readFully(handle, path, start, end);
    },
    close: () => handle.close(),
  };
}

function keptAs(path: string, opened: Stats): KeptFile | undefined {
  try {
    const file = new KeptFile(path);
    if (file.isAt(opened)) return file;
    void file.close();
  } catch {
    // It is not there any more.
  }
  return undefined;
}

async function refusePointer(handle: FileHandle, path: string, size: number): Promise<void> {
  try {
    const pointer = gitLfsPointer(await readFully(handle, path, 0, size));
    if (pointer) throw new LuvitError("bad-file", `${path}: ${pointer}`);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A source over bytes already in memory; reads are copies, as from a file. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (start, end) => {
      requireRange(name, bytes.length, start, end);
      return new Uint8Array(bytes.subarray(start, end)); // not slice(): a Buffer's slice is no copy
    },
    close: async () => {},
  };
}

/** Passes reads through and counts them. */
export class CountingSource implements ByteSource {
  bytesRead = 0;
  reads = 0;

  constructor(private readonly inner: ByteSource) {}

  get name(): string {
    return this.inner.name;
  }

  get size(): number {
    return this.inner.size;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.inner.read(start, end);
    this.count(bytes);
    return bytes;
  }

  get readMany(): ByteSource["readMany"] {
    const { inner } = this;
    if (!inner.readMany) return undefined;
    return (ranges, use) =>
      inner.readMany!(ranges, (index, bytes) => {
        this.count(bytes);
        use(index, bytes);
      });
  }

  get keep(): ByteSource["keep"] {
    const { inner } = this;
    return inner.keep && (() => inner.keep!());
  }

  private count(bytes: Uint8Array): void {
    this.bytesRead += bytes.length;
    this.reads++;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

async function openedFile(path: string): Promise<{ file: FileHandle; size: number }> {
  try {
    return await openRegularFile(path);
  } catch (cause) {
    throw openFailure(path, cause);
  }
}

async function readFully(handle: FileHandle, name: string, start: number, end: number): Promise<Uint8Array> {
  const bytes = allocate(name, end - start);
  let next = 0;
  const lane = async () => {
    while (next < bytes.length) {
      const at = next;
      next += PIECE;
      await readPiece(handle, name, bytes.subarray(at, at + PIECE), start + at);
    }
  };
  await Promise.all(Array.from({ length: bytes.length > PIECE ? LANES : 1 }, lane));
  return bytes;
}

async function readPiece(
  handle: FileHandle,
  name: string,
  into: Uint8Array,
  position: number,
): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const count = await readOnce(handle, name, into, filled, into.length - filled, position + filled);
    if (count === 0) throw new LuvitError("bad-file", `${name}: the file became shorter while it was read`);
    filled += count;
  }
}

async function readOnce(
  handle: FileHandle,
  name: string,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  try {
    return (await handle.read(into, at, length, position)).bytesRead;
  } catch (cause) {
    throw new LuvitError("bad-file", `${name}: reading failed (${(cause as Error).message})`, { cause });
  }
}

function allocate(name: string, length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new LuvitError("bad-file", `${name}: ${length} bytes are more than this machine can hold`, {
      cause,
    });
  }
}
