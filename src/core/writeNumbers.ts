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

/** Pieces written in one call; systems allow 1024. */
const MOST_PIECES = 512;

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
      let run = new Run();
      const flush = async () => {
        const full = run;
        run = new Run();
        await writing;
        writing = full.write(handle!);
        writing.catch(() => {}); // whoever awaits it hears of it
      };
      for (const [name, place] of group) {
        const own = numbers[name];
        if (!allFinite(own)) broken.push(name); // while those before are being written
        for (const { bytes, start } of piecesOf(name, own, place, encode)) {
          if (!run.takes(start)) await flush();
          run.add(bytes, start);
        }
      }
      await flush();
      await writing;
    }
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

/** Pieces that follow one another in the file and are written at once: small ones are not worth a call each. */
class Run {
  private readonly pieces: Uint8Array[] = [];
  private start = 0;
  private end = 0;

  takes(start: number): boolean {
    const isFull = this.pieces.length >= MOST_PIECES || this.end - this.start >= 4 * CHUNK;
    return this.pieces.length === 0 || (start === this.end && !isFull);
  }

  add(bytes: Uint8Array, start: number): void {
    if (this.pieces.length === 0) this.start = start;
    this.pieces.push(bytes);
    this.end = start + bytes.length;
  }

  async write(handle: FileHandle): Promise<void> {
    let left = this.pieces.filter((piece) => piece.length > 0);
    for (let at = this.start; left.length > 0; ) {
      let { bytesWritten } = await handle.writev(left, at);
      at += bytesWritten;
      while (left.length > 0 && bytesWritten >= left[0].length) bytesWritten -= left.shift()!.length;
      if (bytesWritten > 0) left = [left[0].subarray(bytesWritten), ...left.slice(1)];
    }
  }
}
