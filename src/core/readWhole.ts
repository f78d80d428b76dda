import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { LuvitError } from "./errors";

/** Lists, descriptions and logs are far smaller. */
const MOST_BYTES = 256 * 2 ** 20;

/** Pipes that nobody writes to are opened without waiting, so that they can be refused. */
export const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * All of a file that somebody else may have put there.
 *
 * @throws LuvitError("missing-file") where there is none, LuvitError("bad-file") for a folder, for a pipe or a device, which
 * may have no end, and for more than 256 MiB.
 */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    const file = await open(path, openFlags);
    try {
      const status = await file.stat();
      if (!status.isFile()) throw new LuvitError("bad-file", `${path}: not a regular file`);
      if (status.size <= MOST_BYTES) return await file.readFile();
      throw new LuvitError(
        "bad-file",
        `${path}: ${status.size} bytes are more than the limit of ${MOST_BYTES}`,
      );
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
