import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LuvitError } from "../core/errors";

let temporaries = 0;

/**
 * Writes a file so that `path` holds either the old or the whole new content: temporary name beside it, fsync, rename.
 * Missing folders are created. Throws LuvitError "bad-file" when the disk refuses; the temporary file is removed.
 */
export async function writeFileAtomically(
  path: string,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}-${temporaries++}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeAndSync(temporary, fill);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    if (cause instanceof LuvitError) throw cause;
    throw writeFailure(path, cause);
  }
}

/** What to say of a write that the system refused; a full disk is called that. */
export function writeFailure(path: string, cause: unknown): LuvitError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const advice = isFull ? "; the disk is full: make room, or write elsewhere" : "";
  return new LuvitError("bad-file", `${path}: cannot be written (${message})${advice}`, { cause });
}

/** Writes JSON with two-space indent and a final newline, atomically. */
export function writeJsonAtomically(path: string, value: unknown): Promise<void> {
  return writeFileAtomically(path, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
  });
}

/** Makes renames inside a folder survive a power cut. Systems that cannot sync folders are left alone. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } catch {
    // Some file systems refuse fsync on folders; the rename itself has happened.
  } finally {
    await handle?.close();
  }
}

async function writeAndSync(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await fill(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
