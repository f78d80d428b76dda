import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import type { TypeScript } from "./tslab";

/**
 * Lets the compiler find this library as if it were installed in a folder that has no copy of its own, as Node does
 * for packages of a parent folder.
 */
export function provideLibrary(compiler: TypeScript, folder: string, library: string): void {
  if (installedAbove(folder, "luvit")) return;
  const modules = join(folder, "node_modules");
  const place = join(modules, "luvit");
  const real = (path: string) =>
    path === place || path.startsWith(`${place}/`) || path.startsWith(place + sep)
      ? library + path.slice(place.length)
      : path;
  const { sys } = compiler;
  const { fileExists, readFile, directoryExists, realpath, getDirectories } = sys;
  sys.fileExists = (path) => fileExists(real(path));
  sys.readFile = (path, encoding) => readFile(real(path), encoding);
  sys.directoryExists = (path) => path === modules || directoryExists(real(path));
  sys.getDirectories = (path) => getDirectories(real(path));
  if (realpath) sys.realpath = (path) => realpath(real(path));
}

/** Whether Node would find a package from this folder. */
export function installedAbove(folder: string, name: string): boolean {
  for (let at = folder; ; at = join(at, "..")) {
    if (existsSync(join(at, "node_modules", name, "package.json"))) return true;
    if (at === join(at, "..")) return false;
  }
}
