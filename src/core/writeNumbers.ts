import { type FileHandle, open } from "node:fs/promises";
import { LuvitError } from "./errors";
import { allFinite } from "./finite";
import { inGroups } from "./inGroups";
import { targetOf, writeFailure } from "./writeAtomically";

/** Bytes of a file, `start` inclusive, `end` exclusive. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Where in a file the numbers of each name belong. */
export type Places = ReadonlyMap<string, Place>;

/** Gives the numbers of these names; they are good until it is called again. */
export type ReadNumbers = (names: readonly string[]) => Promise<Readonly<Record<string, Float32Array>>>;

/** Numbers encoded at a time. */
const CHUNK = 1 << 22;

const littleEndian = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/**
 * Writes numbers, little-endian float32 or as `encode` makes them, at their places in a file that is there. Gives back the
 * names whose numbers are not all finite.
 *
 * @throws LuvitError("bad-file") when the disk refuses, "shape-mismatch" where other numbers come than have a place.
 */
export async function writeNumbers(
  path: string,
  places: Places,
  read: ReadNumbers,
  encode: (numbers: Float32Array) => Uint8Array = littleEndian,
): Promise<string[]> {
  const broken: string[] = [];
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r+");
    for (const group of inGroups([...places], ([, { start, end }]) => end - start)) {
      const numbers = await read(group.map(([name]) => name));
      let writing = Promise.resolve();
      for (const [name, place] of group) {
        const own = numbers[name];
        if (!allFinite(own)) broken.push(name); // while the one before is being written
        await writing;
        writing = writeAt(handle, name, own, place, encode);
        writing.catch(() => {}); // whoever awaits it hears of it
      }
      await writing;
    }
  } catch (cause) {
    throw writeFailure(targetOf(path), cause);
  } finally {
    await handle?.close();
  }
  return broken;
}

async function writeAt(
  handle: FileHandle,
  name: string,
  numbers: Float32Array,
  { start, end }: Place,
  encode: (numbers: Float32Array) => Uint8Array,
): Promise<void> {
  let at = start;
  for (let from = 0; from < numbers.length; from += CHUNK) {
    const bytes = encode(numbers.subarray(from, from + CHUNK));
    if (at + bytes.length > end) break;
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    at += bytes.length;
  }
  if (at === end) return;
  const message = `${name}: ${numbers.length} numbers do not fit the ${end - start} bytes of their shape`;
  throw new LuvitError("shape-mismatch", message);
}
