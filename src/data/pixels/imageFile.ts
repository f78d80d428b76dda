import type { Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
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

/** What the system ran out of, which says nothing about the file. */
const shortages = ["EMFILE", "ENFILE", "ENOMEM"];

/** Waiting for others to close files doubles up to so long: 1.3 s together. */
const longestWaitMs = 1000;

/** Whether a file could not be read only because the system is short of something. */
export function isShortage(error: unknown): boolean {
  return shortages.includes((error as NodeJS.ErrnoException | null)?.code ?? "");
}

async function openPatiently(path: string): Promise<FileHandle> {
  for (let pause = 5; ; pause *= 2) {
    try {
      return await open(fileSystemPath(path), openFlags);
    } catch (error) {
      if (!isShortage(error) || pause > longestWaitMs) throw error;
      await wait(pause);
    }
  }
}

/** The bytes of an image file. Throws what the file system throws, and as `expectImageFile`. */
export async function readImageFile(path: string): Promise<Buffer> {
  const file = await openPatiently(path);
  try {
    expectImageFile(await file.stat());
    return await file.readFile();
  } finally {
    await file.close();
  }
}
