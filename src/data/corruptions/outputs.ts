import { lstatSync, realpathSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";

/**
 * What each image is written as, below the folder of a corruption: JPEG files keep their names, others get the ending
 * JPEG behind their own one. That depends on the image alone, so that a later run over more images, or fewer, finds each
 * under its name. Bytes that are not UTF-8 are written out.
 *
 * @throws LuvitError("bad-dataset") for images that would be written to one file.
 */
export function outputNames(images: readonly string[]): string[] {
  const names = images.map((path) => inUtf8(isJpegName(path) ? path : `${path}.JPEG`));
  const writers = new Map<string, string[]>();
  for (const [i, name] of names.entries()) {
    writers.set(name, [...(writers.get(name) ?? []), images[i]]);
  }
  const clashes = [...writers].filter(([, paths]) => paths.length > 1);
  if (clashes.length === 0) return names;
  const lines = clashes.map(([name, paths]) => `${paths.join(" and ")} would both be ${name}`);
  throw new LuvitError(
    "bad-dataset",
    `corruptions: images whose names end up the same; rename them:\n${listOffenders(lines)}`,
  );
}

/** Bytes of names that are not UTF-8 as `%e9`. */
function inUtf8(name: string): string {
  return name.replace(/\p{Cs}/gu, (byte) => `%${(byte.charCodeAt(0) & 0xff).toString(16)}`);
}

function isJpegName(path: string): boolean {
  return /^\.jpe?g$/i.test(extname(path));
}

/** Where a path leads, also of one that is not there yet: links in what there is of it are followed. */
export function realPlace(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const above = dirname(whole);
    return above === whole ? whole : join(realPlace(above), relative(above, whole));
  }
}

/** Makes folders below a root, none of them a link to somewhere else. */
export class OwnFolders {
  private readonly known = new Set<string>();

  constructor(readonly root: string) {}

  /** @throws LuvitError("refused-file") where a part of the way is a link or no folder. */
  make(folder: string): void {
    if (folder === this.root || this.known.has(folder)) return;
    this.make(dirname(folder));
    const there = lstatSync(folder, { throwIfNoEntry: false });
    if (there && !there.isDirectory()) {
      const what = there.isSymbolicLink() ? "a link" : "no folder";
      throw new LuvitError(
        "refused-file",
        `${folder} is ${what}; images are only written to folders of ${this.root}`,
      );
    }
    if (!there) makeFolder(folder);
    this.known.add(folder);
  }
}

/** Whether a place is a folder or lies in it. */
export function isWithin(place: string, folder: string): boolean {
  return `${place}${sep}`.startsWith(`${folder}${sep}`);
}
