import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LuvitError } from "./errors";
import { makeFolder, takeBack } from "./makeFolder";

/*
 * Files are written whole or not at all: under a name beside the target that nobody can know before, created by nobody
 * else, then renamed. A link at the target's place is replaced, never written through. A file that was there keeps its
 * permissions.
 */

/** Names of files may have 255 bytes; longer ones than this have no room for an ending. */
const LONGEST_NAME = 200;

/** `<path>.tmp-<process>-<random>`: whose it is can be seen, and no one can have put a link there. */
function temporaryFor(path: string): string {
  const name = Buffer.byteLength(basename(path)) <= LONGEST_NAME ? basename(path) : "luvit";
  return join(dirname(path), `${name}.tmp-${process.pid}-${randomBytes(8).readBigUInt64BE()}`);
}

/** What a temporary is to become. */
export function targetOf(temporary: string): string {
  return temporary.replace(/\.tmp-\d+-\d+$/, "");
}

/**
 * Permissions of a file that is to be replaced.
 *
 * @throws LuvitError("bad-file") for folders, pipes and devices.
 */
function permissionsOf(path: string, status: Stats | undefined): number | undefined {
  if (!status) return undefined;
  if (status.isFile()) return status.mode & 0o777;
  throw new LuvitError("bad-file", `${path}: is there and not a regular file, so it is not replaced`);
}

/**
 * Writes a file so that `path` holds either the old or the whole new content, also after a power cut. Missing folders are
 * created. `fill` is told the name it has until then.
 *
 * @throws LuvitError("bad-file") when the disk refuses; the temporary file is removed.
 */
export async function writeFileAtomically(
  path: string,
  fill: (handle: FileHandle, temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryFor(path);
  let made: readonly string[] = [];
  try {
    made = makeFolder(dirname(path));
    const mode = permissionsOf(path, await stat(path).catch(() => undefined));
    const handle = await open(temporary, "wx", mode);
    try {
      if (mode !== undefined) await handle.chmod(mode);
      await fill(handle, temporary);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    takeBack(made);
    throw writeFailure(path, cause);
  }
}

/**
 * The same at once, for small files that can be made again: a power cut may leave them empty.
 * @throws LuvitError("bad-file") when the disk refuses.
 */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  const temporary = temporaryFor(path);
  let made: readonly string[] = [];
  try {
    made = makeFolder(dirname(path));
    const mode = permissionsOf(path, statSync(path, { throwIfNoEntry: false }));
    const descriptor = openSync(temporary, "wx", mode);
    try {
      if (mode !== undefined) fchmodSync(descriptor, mode);
      writeFileSync(descriptor, content);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (cause) {
    removeQuietly(temporary);
    takeBack(made);
    throw writeFailure(path, cause);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It was never there; why is in the error that is on its way.
  }
}

/** Writes JSON with two-space indent and a final newline, atomically. */
export function writeJsonAtomically(path: string, value: unknown): Promise<void> {
  return writeFileAtomically(path, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
  });
}

/** What to say of a write that the system refused; a full disk is called that, and what says it all stays as it is. */
export function writeFailure(path: string, cause: unknown): LuvitError {
  if (cause instanceof LuvitError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ELOOP")
    return new LuvitError("bad-file", `${path}: is a link, and nothing is written through it`, { cause });
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const advice = isFull ? "; the disk is full: make room, or write elsewhere" : "";
  return new LuvitError("bad-file", `${path}: cannot be written (${message})${advice}`, { cause });
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
