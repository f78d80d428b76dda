import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { fileSystemPath, textOfName } from "../core/fileNames";
import { printable } from "../core/printable";

/** An image file and its label. */
export interface LabeledFile {
  readonly path: string;
  readonly label: number;
}

/** What a folder of class folders holds; both lists are sorted by name. */
export interface ScannedFolder {
  readonly classes: string[];
  readonly files: LabeledFile[];
  /** How many files there are that are not called images, by their endings. */
  readonly others?: ReadonlyMap<string, number>;
}

/** Endings that count as images, as in torchvision's ImageFolder. */
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
 * Lists `<root>/<class>/**` images; classes sorted by name get the labels 0, 1, ….
 *
 * @throws LuvitError("missing-file" | "bad-dataset"): "missing-file" when the folder does not exist and "bad-dataset"
 * when it has no class folders or a class folder has no image.
 */
export async function scanClassFolders(root: string): Promise<ScannedFolder> {
  const { classes, perClass, others } = await listClassFolders(root);
  const wanted = wantedIn(root);
  const empty = classes.filter((_, label) => perClass[label].length === 0);
  if (empty.length > 0) {
    const found = `${classes.length - empty.length} of ${classes.length} class folders hold images`;
    const hint = "copy the missing images, or remove the empty folders to train without these classes";
    const other = others.size > 0 ? `\nthere are ${describeOthers(others)}, which are not read` : "";
    throw new LuvitError(
      "bad-dataset",
      `${wanted}: ${found}; these do not:\n${listOffenders(empty)}${other}\n${hint}`,
    );
  }
  const files = perClass.flatMap((paths, label) => paths.map((path) => ({ path, label })));
  return { classes, files, others };
}

/** "12 other files (.txt 10, .heic 2)". */
export function describeOthers(others: ReadonlyMap<string, number>): string {
  const count = [...others.values()].reduce((sum, one) => sum + one, 0);
  const most = [...others].sort(([, a], [, b]) => b - a).slice(0, 3);
  const endings = most.map(([ending, files]) => `${ending || "no ending"} ${files}`).join(", ");
  return `${count} other file${count === 1 ? "" : "s"} (${printable(endings)}${others.size > 3 ? ", …" : ""})`;
}

/** Class folders, the images of each, and other files by their endings. */
interface ListedFolders {
  readonly classes: string[];
  readonly perClass: string[][];
  readonly others: Map<string, number>;
}

/**
 * Class folders sorted by name and the images of each, which may be none.
 *
 * @throws LuvitError as `scanClassFolders` otherwise.
 */
export async function listClassFolders(root: string): Promise<ListedFolders> {
  const entries = await readFolder(root);
  const classes = sorted(entries.filter(({ kind }) => kind === "folder")).map(({ name }) => name);
  if (classes.length === 0) {
    const found = describe(entries);
    throw new LuvitError("bad-dataset", `${wantedIn(root)}, found no class folders, only ${found}`);
  }
  await expectNoParts(root, classes);
  const others = new Map<string, number>();
  const perClass = await Promise.all(classes.map((name) => imagesBelow(join(root, name), [], others)));
  return { classes, perClass, others };
}

function wantedIn(root: string): string {
  return `looked for <class>/*{${imageExtensions.join(",")}} in ${root}`;
}

/** All images under a folder, at any depth, sorted folder by folder. */
export function listImages(folder: string): Promise<string[]> {
  return imagesBelow(folder, [], new Map());
}

/** `linked`: where the links lead that were followed on the way here; other files are counted in `others`. */
async function imagesBelow(
  folder: string,
  linked: readonly string[],
  others: Map<string, number>,
): Promise<string[]> {
  const entries = sorted(await readFolder(folder));
  const here: string[] = [];
  for (const { kind, name } of entries) {
    if (kind !== "file") continue;
    const ending = extname(name).toLowerCase();
    if (imageExtensions.includes(ending)) here.push(join(folder, name));
    else others.set(ending, (others.get(ending) ?? 0) + 1);
  }
  const below = await Promise.all(
    entries
      .filter(({ kind }) => kind === "folder")
      .map(async ({ name, isLink }) => {
        const inside = join(folder, name);
        const links = isLink ? [...linked, await followed(folder, inside, linked)] : linked;
        return imagesBelow(inside, links, others);
      }),
  );
  return [...here, ...below.flat()];
}

/** Where a link to a folder leads. Throws where that is on the way here already, so that there would be no end. */
async function followed(folder: string, link: string, linked: readonly string[]): Promise<string> {
  const [place, target] = await Promise.all([
    realpath(fileSystemPath(folder)),
    realpath(fileSystemPath(link)),
  ]);
  if (!linked.includes(target) && !`${place}${sep}`.startsWith(`${target}${sep}`)) return target;
  throw new LuvitError("bad-dataset", `${link} leads back to ${target}, which it lies in; remove the link`);
}

/** A folder with `train` or `val` inside is one level too high; reading it would make classes of its parts. */
async function expectNoParts(root: string, classes: readonly string[]): Promise<void> {
  for (const part of classes.filter((name) => name === "train" || name === "val")) {
    const inside = await readFolder(join(root, part));
    if (inside.some(({ kind }) => kind !== "folder")) continue;
    const found = `its parts ${classes.join(", ")}`;
    throw new LuvitError(
      "bad-dataset",
      `${root} holds no classes but ${found}; did you mean ${join(root, part)}?`,
    );
  }
}

/** What is in a folder; links count as what they lead to, and pipes and devices are neither. */
interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
  readonly isLink: boolean;
}

async function readFolder(folder: string): Promise<Entry[]> {
  try {
    const seen = (await entriesOf(folder)).filter(({ name }) => !name.startsWith("."));
    const links = seen.filter(({ name, entry }) => entry.isSymbolicLink() && mayBeFolder(name));
    const toFolders = new Set<string>();
    for (const { name } of links) if (!(await leadsToFile(join(folder, name)))) toFolders.add(name);
    return seen.map(({ name, entry }) => {
      const isLink = entry.isSymbolicLink();
      const isFolder = entry.isDirectory() || toFolders.has(name);
      return { name, isLink, kind: isFolder ? "folder" : isLink || entry.isFile() ? "file" : "other" };
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what =
      code === "ENOENT"
        ? "does not exist"
        : code === "ENOTDIR"
          ? "is not a folder"
          : `cannot be read (${code})`;
    throw new LuvitError("missing-file", `looked for a folder of images at ${folder}, which ${what}`, {
      cause: error,
    });
  }
}

/** Names and kinds; a folder is read again as bytes where a name is not UTF-8. */
async function entriesOf(folder: string): Promise<{ name: string; entry: Dirent | Dirent<Buffer> }[]> {
  const place = fileSystemPath(folder);
  const entries = await readdir(place, { withFileTypes: true });
  if (!entries.some(({ name }) => name.includes("\ufffd")))
    return entries.map((entry) => ({ name: entry.name, entry }));
  const exact = await readdir(place, { withFileTypes: true, encoding: "buffer" });
  return exact.map((entry) => ({ name: textOfName(entry.name), entry }));
}

/** A million links called images are not asked about one by one. */
function mayBeFolder(name: string): boolean {
  return !imageExtensions.includes(extname(name).toLowerCase());
}

/** False for a folder, and for what is not there, which is to be missed where a folder was expected. */
async function leadsToFile(link: string): Promise<boolean> {
  const target = await stat(fileSystemPath(link)).catch(() => undefined);
  return target !== undefined && !target.isDirectory();
}

/** By UTF-16 code unit, which for the usual names is the order of Python's `sorted`. */
function sorted(entries: Entry[]): Entry[] {
  return entries.sort(({ name: a }, { name: b }) => (a < b ? -1 : a > b ? 1 : 0));
}

function describe(entries: readonly Entry[]): string {
  if (entries.length === 0) return "an empty folder";
  const names = entries.slice(0, 5).map((entry) => entry.name);
  return `${entries.length} files (${names.join(", ")}${entries.length > 5 ? ", …" : ""})`;
}
