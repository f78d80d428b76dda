import { type FileHandle, open } from "node:fs/promises";
import { identityOf } from "../../core/fileIdentity";
import type { FilePlace } from "../../core/hostTensor";
import { inGroups } from "../../core/inGroups";
import { openFlags } from "../../core/readWhole";
import { widenShortFloats } from "../../core/shortFloats";
import type { Engine } from "../executor";

/** Sets state entries of an engine of this process from files of absolute paths; gives back those whose file is not there as it was. */
export async function loadState(
  engine: Engine,
  places: readonly (readonly [string, FilePlace])[],
): Promise<string[]> {
  const files = new Map<string, FileHandle | undefined>();
  const left: string[] = [];
  try {
    for (const group of inGroups(places, ([, { start, end }]) => end - start)) {
      const values: Record<string, Float32Array> = {};
      for (const [name, place] of group) {
        if (!files.has(place.path)) files.set(place.path, await opened(place));
        const numbers = await numbersAt(files.get(place.path), place);
        if (numbers) values[name] = numbers;
        else left.push(name);
      }
      await engine.writeState(values);
    }
  } finally {
    for (const file of files.values()) await file?.close();
  }
  return left;
}

async function opened({ path, identity }: FilePlace): Promise<FileHandle | undefined> {
  const file = await open(path, openFlags).catch(() => undefined);
  if (file && identityOf(await file.stat()) === identity) return file;
  await file?.close();
  return undefined;
}

async function numbersAt(
  file: FileHandle | undefined,
  { start, end, dtype }: FilePlace,
): Promise<Float32Array | undefined> {
  if (!file) return undefined;
  const bytes = new Uint8Array(end - start);
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  if (dtype === "F32") return new Float32Array(bytes.buffer);
  const numbers = new Float32Array(bytes.length / 2);
  widenShortFloats(bytes, dtype, numbers);
  return numbers;
}
