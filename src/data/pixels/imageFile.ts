import type { Stats } from "node:fs";
import { open } from "node:fs/promises";
import { fileSystemPath } from "../../core/fileNames";
import { openFlags } from "../../core/readWhole";
import { unreadable } from "./badImage";

/** No image file is larger. */
const mostBytes = 2 ** 30;

/** @throws LuvitError("bad-image") for a folder, a pipe or a device, which may have no end, and for too many bytes. */
export function expectImageFile(stats: Stats): void {
  if (!stats.isFile()) throw unreadable(stats.isDirectory() ? "it is a folder" : "it is a pipe or a device");
  if (stats.size > mostBytes) throw unreadable(`${stats.size} bytes are more than the limit of ${mostBytes}`);
}

/** The bytes of an image file. Throws what the file system throws, and as `expectImageFile`. */
export async function readImageFile(path: string): Promise<Buffer> {
  const file = await open(fileSystemPath(path), openFlags);
  try {
    expectImageFile(await file.stat());
    return await file.readFile();
  } finally {
    await file.close();
  }
}
