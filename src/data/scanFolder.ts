import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";

/** A picture file and its label. */
export interface LabelledFile {
  readonly path: string;
  readonly label: number;
}

/** What a folder of class folders holds; both lists are sorted by name. */
export interface ScannedFolder {
  readonly classes: string[];
  readonly files: LabelledFile[];
}

/** Endings that count as pictures, as in torchvision's ImageFolder. */
export const imageExtensions: readonly string[] = [
  ".jpg",
  ".jpeg",
  ".png",
  ".ppm",
  ".bmp",
  ".pgm",
  ".tif",
  ".tiff",
  ".webp",
];

/**
 * Lists `<root>/<class>/**` pictures; classes sorted by name get the labels 0, 1, …. Throws "missing-file" when the
 * folder does not exist and "bad-dataset" when it has no class folders or a class folder has no picture.
 */
export async function scanClassFolders(root: string): Promise<ScannedFolder> {
  const { classes, perClass } = await listClassFolders(root);
  const wanted = wantedIn(root);
  const empty = classes.filter((_, label) => perClass[label].length === 0);
  if (empty.length > 0) {
    const found = `${classes.length - empty.length} of ${classes.length} class folders hold pictures`;
    const hint = "copy the missing pictures, or remove the empty folders to train without these classes";
    throw new LuvitError(
      "bad-dataset",
      `${wanted}: ${found}; these do not:\n${listOffenders(empty)}\n${hint}`,
    );
  }
  const files = perClass.flatMap((paths, label) => paths.map((path) => ({ path, label })));
  return { classes, files };
}

/** Class folders sorted by name and the pictures of each, which may be none. Throws as `scanClassFolders` otherwise. */
export async function listClassFolders(root: string): Promise<{ classes: string[]; perClass: string[][] }> {
  const entries = await readFolder(root);
  const classes = sorted(entries.filter((entry) => entry.isFolder).map((entry) => entry.name));
  if (classes.length === 0) {
    const found = describe(entries);
    throw new LuvitError("bad-dataset", `${wantedIn(root)}, found no class folders, only ${found}`);
  }
  await expectNoParts(root, classes);
  const perClass = await Promise.all(classes.map((name) => listImages(join(root, name))));
  return { classes, perClass };
}

function wantedIn(root: string): string {
  return `looked for <class>/*{${imageExtensions.join(",")}} in ${root}`;
}

/** All pictures under a folder, at any depth, sorted folder by folder. */
export async function listImages(folder: string): Promise<string[]> {
  const entries = await readFolder(folder);
  const names = (keep: (entry: Entry) => boolean) => sorted(entries.filter(keep).map((entry) => entry.name));
  const isImage = (entry: Entry) => imageExtensions.includes(extname(entry.name).toLowerCase());
  const here = names((entry) => !entry.isFolder && isImage(entry)).map((name) => join(folder, name));
  const below = await Promise.all(
    names((entry) => entry.isFolder).map((name) => listImages(join(folder, name))),
  );
  return [...here, ...below.flat()];
}

/** A folder with `train` or `val` inside is one level too high; reading it would make classes of its parts. */
async function expectNoParts(root: string, classes: readonly string[]): Promise<void> {
  for (const part of classes.filter((name) => name === "train" || name === "val")) {
    const inside = await readFolder(join(root, part));
    if (inside.some((entry) => !entry.isFolder)) continue;
    const found = `its parts ${classes.join(", ")}`;
    throw new LuvitError(
      "bad-dataset",
      `${root} holds no classes but ${found}; did you mean ${join(root, part)}?`,
    );
  }
}

/** What is in a folder; links count as what they lead to. */
interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

async function readFolder(folder: string): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const seen = entries.filter((entry) => !entry.name.startsWith("."));
    const links = seen.filter(isLinkToWhat).map(({ name }) => name);
    const toFiles = new Set<string>();
    for (const name of links) if (await leadsToFile(join(folder, name))) toFiles.add(name);
    return seen.map((entry) => ({
      name: entry.name,
      isFolder: isLinkToWhat(entry) ? !toFiles.has(entry.name) : entry.isDirectory(),
    }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what =
      code === "ENOENT"
        ? "does not exist"
        : code === "ENOTDIR"
          ? "is not a folder"
          : `cannot be read (${code})`;
    throw new LuvitError("missing-file", `looked for a folder of pictures at ${folder}, which ${what}`, {
      cause: error,
    });
  }
}

/** A link that may lead to a folder; a million links called pictures are not asked about one by one. */
function isLinkToWhat(entry: Dirent): boolean {
  return entry.isSymbolicLink() && !imageExtensions.includes(extname(entry.name).toLowerCase());
}

/** False for a folder, and for what is not there, which is to be missed where a folder was expected. */
async function leadsToFile(link: string): Promise<boolean> {
  const target = await stat(link).catch(() => undefined);
  return target !== undefined && !target.isDirectory();
}

/** By UTF-16 code unit, which for the usual names is the order of Python's `sorted`. */
function sorted(names: string[]): string[] {
  return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function describe(entries: readonly Entry[]): string {
  if (entries.length === 0) return "an empty folder";
  const names = entries.slice(0, 5).map((entry) => entry.name);
  return `${entries.length} files (${names.join(", ")}${entries.length > 5 ? ", …" : ""})`;
}
