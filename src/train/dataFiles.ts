import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { breathe } from "../core/loop";
import { writeJsonAtomically } from "../core/writeAtomically";
import type { ImageDataset } from "../data/dataset";
import { readJsonObject } from "../io/bytes";

/** The data sets of a run by what they are for. */
export type RunSets = Readonly<Record<string, ImageDataset>>;

/** The files of a class, as far as names and sizes tell them from others. */
interface ClassFiles {
  files: number;
  /** Of the files that were asked for their size. */
  bytes: number;
  names: string;
  sizes: string;
}

type SetFiles = Record<string, ClassFiles>;

/** Files of a set that are asked for their sizes, spread evenly; all of smaller sets. */
const MOST_SIZES = 20_000;
const AT_A_TIME = 64;
const MOST_CLASSES = 5;

/**
 * Notes in a run's folder (data.json) what files its data sets have, or compares them with what was noted when it began.
 * Gives back a line for every set whose files have other names or sizes now.
 */
export async function compareFiles(folder: string, sets: RunSets, resumed: boolean): Promise<string[]> {
  const path = join(folder, "data.json");
  const now: Record<string, SetFiles> = {};
  for (const [name, set] of Object.entries(sets)) now[name] = await filesOf(set);
  const known = resumed ? await readJsonObject(path).catch(() => undefined) : undefined;
  if (!known) {
    await writeJsonAtomically(path, now);
    return [];
  }
  const before = known.value as Record<string, SetFiles>;
  return Object.entries(now).flatMap(([name, files]) => {
    const changed = before[name] ? changes(before[name], files) : [];
    if (changed.length === 0) return [];
    const rest = changed.length > MOST_CLASSES ? ` and ${changed.length - MOST_CLASSES} more` : "";
    const shown = changed.slice(0, MOST_CLASSES).join(", ");
    return [`the ${name} data are not those this run began with: ${shown}${rest}`];
  });
}

function changes(before: SetFiles, now: SetFiles): string[] {
  const none: ClassFiles = { files: 0, bytes: 0, names: "", sizes: "" };
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((label) => {
    const [was, is] = [before[label] ?? none, now[label] ?? none];
    const counts = ({ files, bytes }: ClassFiles) => `${files} files of ${bytes} bytes`;
    if (was.names !== is.names)
      return [`class ${label} has files of other names (${counts(was)}, now ${counts(is)})`];
    if (was.sizes !== is.sizes)
      return [`class ${label} has files of other sizes (${counts(was)}, now ${counts(is)})`];
    return [];
  });
}

/** What files a set has, by class. */
export async function filesOf(set: ImageDataset): Promise<SetFiles> {
  const root = rootOf(set);
  const sizes = await sizesOf(set);
  const classes = new Map<number, { files: number; bytes: number; names: Hash; sizes: Hash }>();
  for (let index = 0; index < set.length; index++) {
    const label = set.label(index);
    const known = classes.get(label) ?? { files: 0, bytes: 0, names: hash(), sizes: hash() };
    classes.set(label, known);
    const size = sizes.get(index);
    known.files++;
    known.names.update(`${set.path(index).slice(root.length)}\n`);
    if (size !== undefined) {
      known.bytes += size;
      known.sizes.update(`${size}\n`);
    }
    if (index % 50_000 === 0) await breathe();
  }
  return Object.fromEntries(
    [...classes].map(([label, { files, bytes, names, sizes: all }]) => [
      set.classes[label] ?? String(label),
      { files, bytes, names: short(names), sizes: short(all) },
    ]),
  );
}

type Hash = ReturnType<typeof createHash>;
const hash = () => createHash("sha256");
const short = (whole: Hash) => whole.digest("hex").slice(0, 16);

/** What all paths begin with: data that were moved as a whole are the same data. */
function rootOf(set: ImageDataset): string {
  if (set.length === 0) return "";
  let root = dirname(set.path(0));
  for (let index = 1; index < set.length; index++) {
    const path = set.path(index);
    while (root !== "" && !path.startsWith(root)) root = root === dirname(root) ? "" : dirname(root);
  }
  return root;
}

/** Bytes of files by position. What is no file of its own (a row of a table) has the size of the file it is in. */
async function sizesOf(set: ImageDataset): Promise<Map<number, number>> {
  const every = Math.max(1, Math.ceil(set.length / MOST_SIZES));
  const asked = Array.from({ length: Math.ceil(set.length / every) }, (_, i) => i * every);
  const known = new Map<string, Promise<number | undefined>>();
  const sizeOf = (path: string) => {
    const size =
      known.get(path) ??
      stat(path).then(
        ({ size: bytes }) => bytes,
        () => undefined,
      );
    known.set(path, size);
    return size;
  };
  const sizes = new Map<number, number>();
  for (let start = 0; start < asked.length; start += AT_A_TIME) {
    const some = asked.slice(start, start + AT_A_TIME);
    const found = await Promise.all(some.map((index) => sizeOf(set.path(index).replace(/#\d+$/, ""))));
    for (const [i, index] of some.entries()) {
      const size = found[i];
      if (size !== undefined) sizes.set(index, size);
    }
  }
  return sizes;
}
