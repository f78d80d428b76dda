import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { packageRoot } from "../../core/packageRoot";

/** `npm:@scope/name@range/path` in its parts. */
export interface NpmSpecifier {
  name: string;
  /** Empty where none is given. */
  range: string;
  /** Begins with `/` where there is one. */
  path: string;
}

/** Whether a module is named as Deno's users name packages. */
export const isNpmSpecifier = (specifier: string) => specifier.startsWith("npm:");

/** The parts of a specifier; undefined where it names no package. */
export function parseNpmSpecifier(specifier: string): NpmSpecifier | undefined {
  const [, name, range = "", path = ""] =
    /^npm:\/?((?:@[\w~-][\w.~-]*\/)?[A-Za-z0-9~-][\w.~-]*)(?:@([^/]*))?(\/.*)?$/.exec(specifier) ?? [];
  return name === undefined ? undefined : { name, range, path };
}

/** How the package that an `npm:` specifier means is called by Node, or why it is not there, seen from a folder. */
export function resolveNpm(specifier: string, folder: string): { module: string } | { problem: string } {
  const parsed = parseNpmSpecifier(specifier);
  if (!parsed)
    return {
      problem: `${specifier} names no package: expected npm:name, npm:name@version or npm:@scope/name`,
    };
  const { name, range, path } = parsed;
  const wanted = range === "" ? name : `${name}@${range}`;
  const found = installed(name, folder);
  if (!found)
    return {
      problem: `${specifier}: the package ${name} is not installed: ${installing(wanted)}, then this cell again`,
    };
  if (found.version === undefined)
    return { problem: `${specifier}: ${found.folder} has no readable package.json: ${installing(wanted)}` };
  // Node has modules of its own under some names of packages, and takes the package where a slash follows.
  if (range === "" || satisfies(found.version, range))
    return { module: name + (path || (isBuiltin(name) ? "/" : "")) };
  const why = `${specifier}: installed is ${name} ${found.version}, in ${found.folder}`;
  const how = `${installing(wanted)} for the other one, then this cell again (after a restart, if ${name} was imported)`;
  return { problem: `${why}: ${how}` };
}

/** What brings a package, as a sentence's beginning. */
export function installing(wanted: string): string {
  const word = /^[\w@./~^-]+$/.test(wanted) && !/^[~^]/.test(wanted) ? wanted : `"${wanted}"`;
  return `run \`!npm install ${word}\` in a cell, in ${process.cwd()}`;
}

/** Whether a version is in a range; a tag such as `latest` only a registry could tell, and it is taken as held. */
function satisfies(version: string, range: string): boolean {
  const valid = require("semver/ranges/valid") as (range: string) => string | null;
  const holds = require("semver/functions/satisfies") as (version: string, range: string) => boolean;
  return valid(range) === null || holds(version, range);
}

interface Installed {
  /** Undefined where its manifest cannot be read. */
  version: string | undefined;
  folder: string;
}

/** A package as Node finds it from a folder. */
function installed(name: string, folder: string): Installed | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const place = join(at, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return { version: versionIn(place), folder: place };
    if (at !== dirname(at)) continue;
    return name === "luvit" ? { version: versionIn(packageRoot()), folder: packageRoot() } : undefined;
  }
}

function versionIn(folder: string): string | undefined {
  try {
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      version?: string;
    };
    return version ?? "0.0.0";
  } catch {
    return undefined;
  }
}
