import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fileSystemPath } from "../../../core/fileNames";
import { openFlags } from "../../../core/readWhole";
import { expectImageFile } from "../imageFile";
import type { PixelMemory } from "../kernels/pixelMemory";
import { SLACK } from "./unstuffKernel";

/** The bytes of a file in a PixelMemory, with some behind them that may be read. */
export interface PlacedFile {
  readonly address: number;
  readonly length: number;
}

export function placeBytes(memory: PixelMemory, bytes: Uint8Array): PlacedFile {
  const { length } = bytes;
  const address = memory.take(length + SLACK);
  memory.bytes(address, length).set(bytes);
  return { address, length };
}

/** Reads an image file to where kernels can read it. Throws what the file system throws, and as `expectImageFile`. */
export function placeFile(memory: PixelMemory, path: string): PlacedFile {
  const file = openSync(fileSystemPath(path), openFlags);
  try {
    const stats = fstatSync(file);
    expectImageFile(stats);
    const { size } = stats;
    const address = memory.take(size + SLACK);
    const bytes = memory.bytes(address, size);
    let length = 0;
    while (length < size) {
      const count = readSync(file, bytes, length, size - length, null);
      if (count === 0) break;
      length += count;
    }
    return { address, length };
  } finally {
    closeSync(file);
  }
}
