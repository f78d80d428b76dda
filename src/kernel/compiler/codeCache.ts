import { isAscii } from "node:buffer";
import { readFileSync } from "node:fs";
import Module from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import vm from "node:vm";
import { makeFolder } from "../../core/makeFolder";

interface Cached {
  script: vm.Script;
  file: string;
  fresh: boolean;
}

/** Large scripts of this process, by path. */
const scripts = new Map<string, Cached>();

/**
 * Loads a large CommonJS script with the machine code of an earlier session, which takes a third of the time. V8 itself
 * refuses code of another version, of other flags or of a script of another length.
 */
export function requireCached(path: string, version: string): unknown {
  const known = require.cache[path];
  if (known) return known.exports;
  const file = join(cacheFolder(), `${basename(path)}-${version}-${process.version}-${process.arch}.code`);
  const cachedData = read(file);
  const source = textOf(readFileSync(path));
  const script = new vm.Script(Module.wrap(source), { filename: path, cachedData });
  scripts.set(path, { script, file, fresh: cachedData !== undefined && !script.cachedDataRejected });
  const loaded = new Module(path, module);
  loaded.filename = path;
  loaded.require = Module.createRequire(path);
  require.cache[path] = loaded;
  const run = script.runInThisContext() as (...given: unknown[]) => void;
  run.call(loaded.exports, loaded.exports, loaded.require, loaded, path, dirname(path));
  loaded.loaded = true;
  return loaded.exports;
}

/** Keeps the machine code of what has run so far for later sessions, unless theirs is already there. */
export function keepCode(): void {
  const stale = [...scripts.values()].filter(({ fresh }) => !fresh);
  if (stale.length === 0) return;
  const { writeAtomically } =
    require("../../core/writeAtomically") as typeof import("../../core/writeAtomically");
  for (const cached of stale) {
    cached.fresh = true;
    try {
      makeFolder(dirname(cached.file), 0o700);
      writeAtomically(cached.file, cached.script.createCachedData());
    } catch {
      // a folder that cannot be written costs time at the next start, nothing else
    }
  }
}

/** A folder of this user alone: who can write there decides what runs here. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "luvit", "code");
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "luvit", "code");
  return join(homedir(), ".cache", "luvit", "code");
}

/** Plain ASCII takes half the time where it is not read as UTF-8. */
function textOf(bytes: Buffer): string {
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
