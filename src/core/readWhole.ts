import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { LuvitError } from "./errors";

/** Lists, descriptions and logs are far smaller. */
const MOST_BYTES = 256 * 2 ** 20;

/** Pipes that nobody writes to are opened without waiting, so that they can be refused. */
export const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a file that somebody else may have put there, and looks what it is.
 *
 * @throws LuvitError("bad-file") for a folder, a socket, a pipe or a device; Error of the system where it cannot be opened.
 */
export async function openRegularFile(path: string): Promise<{ file: FileHandle; size: number }> {
  const file = await open(path, openFlags).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ENXIO" ? notRegular(path) : cause; // a socket
  });
  try {
    const status = await file.stat();
    if (status.isFile()) return { file, size: status.size };
    throw notRegular(path);
  } catch (error) {
    await file.close();
    throw error;
  }
}

const notRegular = (path: string) => new LuvitError("bad-file", `${path}: not a regular file`);

/**
 * All of a file that somebody else may have put there.
 *
 * @throws LuvitError("missing-file") where there is none, LuvitError("bad-file") for a folder, for a pipe or a device, which
 * may have no end, and for more than 256 MiB.
 */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    const { file, size } = await openRegularFile(path);
    try {
      if (size <= MOST_BYTES) return await file.readFile();
      throw new LuvitError("bad-file", `${path}: ${size} bytes are more than the limit of ${MOST_BYTES}`);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof LuvitError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const kind = code === "ENOENT" ? "missing-file" : "bad-file";
    throw new LuvitError(kind, `${path}: cannot be read (${message})`, { cause });
  }
}

/**
 * The same as text in UTF-8.
 *
 * @throws LuvitError as `readWhole`.
 */
export async function readWholeText(path: string): Promise<string> {
  return (await readWhole(path)).toString("utf8");
}
