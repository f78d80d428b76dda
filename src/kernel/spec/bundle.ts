import { constants, cpSync, existsSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { LuvitError } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { packageRoot } from "../../core/packageRoot";

interface Manifest {
  name: string;
  files?: string[];
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** Folders below which native packages keep a folder for each system. */
const nativeFolders = ["bin", "build", "prebuilds"];
const systems = ["aix", "android", "darwin", "freebsd", "linux", "win32"];
const architectures = ["arm", "arm64", "ia32", "x64"];

/**
 * Copies this package and the packages that it needs to run, their parts for this system alone, into a folder that is
 * replaced as a whole. What runs there needs nothing of the place that it was copied from. Gives back the bytes copied.
 *
 * @throws LuvitError("missing-file") naming every package that is needed and not installed.
 */
export function copyPackage(target: string): number {
  const root = packageRoot();
  const packages = neededPackages(root);
  const made = `${target}.new-${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  try {
    let bytes = 0;
    for (const path of ["package.json", ...ownFiles(root)])
      bytes += copyTree(join(root, path), join(made, path), (file) => !file.endsWith(".tsbuildinfo"));
    for (const [place, folder] of packages)
      bytes += copyTree(folder, join(made, "node_modules", place), (file) =>
        isNeeded(relative(folder, file)),
      );
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
    return bytes;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** What this package is packed with, but for the notebooks, which are the reader's own. */
function ownFiles(root: string): string[] {
  const { files = [] } = manifestOf(root);
  return files.filter((path) => !/[*!]/.test(path) && existsSync(join(root, path)));
}

/** Folders of packages by their place below `node_modules`. */
function neededPackages(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const missing = new Set<string>();
  const visit = (folder: string) => {
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const own = installedFolder(name, folder);
      if (own === undefined) {
        if (!(name in optionalDependencies)) missing.add(`${name} (for ${basename(folder)})`);
        continue;
      }
      const place = placeOf(own, root);
      const known = found.get(place);
      if (known === own) continue;
      if (known !== undefined) missing.add(`a place of its own for ${own}, beside ${known}`);
      found.set(place, own);
      visit(own);
    }
  };
  visit(root);
  if (missing.size === 0) return found;
  const text = `not installed, but needed by the kernel: ${[...missing].join(", ")}; npm ci installs them`;
  throw new LuvitError("missing-file", text);
}

/** Where Node finds a package from a folder. */
function installedFolder(name: string, from: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(join(folder, "package.json"))) return folder;
    if (at === dirname(at)) return undefined;
  }
}

/** A package's place below the `node_modules` that it was found in: our own, or one that we lie in ourselves. */
function placeOf(folder: string, root: string): string {
  for (let at = root; ; at = dirname(at)) {
    const modules = join(at, "node_modules") + sep;
    if (folder.startsWith(modules)) return folder.slice(modules.length);
    if (at === dirname(at)) return basename(folder);
  }
}

/** Whether a file of a package runs here: it is no other system's, no other package's, and no map of sources. */
function isNeeded(path: string): boolean {
  const parts = path.split(sep);
  if (parts.includes("node_modules") || path.endsWith(".map")) return false;
  if (!nativeFolders.includes(parts[0]!)) return true;
  const system = parts.findIndex((part) => systems.includes(part));
  if (system < 0) return true;
  const architecture = parts[system + 1];
  return (
    parts[system] === process.platform &&
    (architecture === undefined || !architectures.includes(architecture) || architecture === process.arch)
  );
}

function copyTree(from: string, to: string, isWanted: (path: string) => boolean): number {
  let bytes = 0;
  makeFolder(dirname(to));
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (path) => {
      if (!isWanted(path)) return false;
      const status = statSync(path);
      if (status.isFile()) bytes += status.size;
      return true;
    },
  });
  return bytes;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}
