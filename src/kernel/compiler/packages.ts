import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import type * as ts from "typescript";

/**
 * A compiler's system that finds packages as if they were installed in a folder that has no copies of its own, as Node
 * does for packages of a parent folder; `packages` are their places by name.
 */
export function providePackages(
  sys: ts.System,
  folder: string,
  packages: Readonly<Record<string, string>>,
): Partial<ts.System> {
  const modules = join(folder, "node_modules");
  const missing = Object.entries(packages).filter(([name]) => !installedAbove(folder, name));
  if (missing.length === 0) return {};
  const places = missing.map(([name, real]) => ({ place: join(modules, name), real }));
  const real = (path: string): string => {
    for (const { place, real: target } of places)
      if (path === place || path.startsWith(`${place}/`) || path.startsWith(place + sep))
        return target + path.slice(place.length);
    return path;
  };
  const { fileExists, readFile, directoryExists, realpath, getDirectories } = sys;
  return {
    fileExists: (path) => fileExists(real(path)),
    readFile: (path, encoding) => readFile(real(path), encoding),
    directoryExists: (path) => path === modules || directoryExists(real(path)),
    getDirectories: (path) => getDirectories(real(path)),
    ...(realpath ? { realpath: (path: string) => realpath(real(path)) } : {}),
  };
}

/** Whether Node would find a package from this folder. */
export function installedAbove(folder: string, name: string): boolean {
  for (let at = folder; ; at = join(at, "..")) {
    if (existsSync(join(at, "node_modules", name, "package.json"))) return true;
    if (at === join(at, "..")) return false;
  }
}
