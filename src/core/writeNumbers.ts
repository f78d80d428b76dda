import { type FileHandle, open } from "node:fs/promises";
import { LuvitError } from "./errors";
import { allFinite } from "./finite";
import { inGroups } from "./inGroups";
import { PieceWriter } from "./pieceWriter";
import { targetOf, writeFailure } from "./writeAtomically";

/** Bytes of a file, `start` inclusive, `end` exclusive. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Where in a file the numbers of each name belong. */
export type Places = ReadonlyMap<string, Place>;

/** Gives the numbers of these names, which stay as they are while others are asked for. */
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
    const writer = new PieceWriter(handle);
    for (const group of inGroups([...places], ([, { start, end }]) => end - start)) {
      const numbers = await read(group.map(([name]) => name)); // while those before are being written
      for (const [name, place] of group) {
        const own = numbers[name];
        if (!allFinite(own)) broken.push(name);
        for (const { bytes, start } of piecesOf(name, own, place, encode)) await writer.add(bytes, start);
      }
      await writer.flush();
    }
    await writer.done();
  } catch (cause) {
    throw writeFailure(targetOf(path), cause);
  } finally {
    await handle?.close();
  }
  return broken;
}

/** The bytes of an entry with their places, in pieces. */
function* piecesOf(
  name: string,
  numbers: Float32Array,
  { start, end }: Place,
  encode: (numbers: Float32Array) => Uint8Array,
): Iterable<{ bytes: Uint8Array; start: number }> {
  const misfit = () => {
    const message = `${name}: ${numbers.length} numbers do not fit the ${end - start} bytes of their shape`;
    return new LuvitError("shape-mismatch", message);
  };
  let at = start;
  for (let from = 0; from < numbers.length; from += CHUNK) {
    const bytes = encode(numbers.subarray(from, from + CHUNK));
    if (at + bytes.length > end) throw misfit();
    yield { bytes, start: at };
    at += bytes.length;
  }
  if (at !== end) throw misfit();
}
