import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { LuvitError } from "../../core/errors";
import { packageRoot } from "../../core/packageRoot";
import { attachTslab, loadTslab } from "../../notebook/tslab";
import { names } from "../compiler/instrument";
import { isNpmSpecifier, resolveNpm } from "../packages/npmSpecifiers";
import { LocalModules } from "./localModules";

type Exports = Record<string, unknown>;

/** Finds and loads the modules that cells name, as if the cells were files in the notebook's folder. */
export class CellModules {
  /** `require` for cells. */
  require!: NodeJS.Require;
  private own!: NodeJS.Require;
  private readonly local: LocalModules;
  private readonly namespaces = new Map<string, Exports>();
  private importNative!: (specifier: string) => Promise<Exports>;
  private folder!: string;

  /** `globals` are what compiled code expects beside Node's own; `onLoad` is told each local file whose code begins. */
  constructor(folder: string, globals: Record<string, unknown>, onLoad: (file: string) => void = () => {}) {
    this.local = new LocalModules(globals, onLoad, (original, from, file) => this.wrap(original, from, file));
    this.moveTo(folder);
  }

  /** Looks for modules in another folder from now on. */
  moveTo(folder: string): void {
    this.folder = folder;
    this.namespaces.clear();
    this.own = createRequire(join(folder, "cell.js"));
    this.require = this.wrap(this.own, folder);
    this.importNative = nativeImport(folder);
  }

  /** Takes compiled local files; those that changed are loaded again. */
  add(outputs: readonly { path: string; data: string }[]): void {
    this.local.add(outputs);
  }

  /** What a local file exports, or has so far; undefined for other scripts. */
  exportsOf(file: string): Exports | undefined {
    return this.local.loadedExports(file);
  }

  /**
   * Loads the ES modules among these and those that local files import, which `require` may be unable to, and starts
   * this library where it is among them.
   */
  async prepare(specifiers: readonly string[]): Promise<void> {
    const all = [...specifiers, ...this.local.packages];
    if (all.includes("luvit")) this.require("luvit");
    await startLibrary();
    attachTslab();
    for (const specifier of all) {
      if (this.namespaces.has(specifier) || !this.isEsModule(specifier)) continue;
      this.namespaces.set(specifier, requirable(await this.importNative(specifier)));
    }
  }

  /** `import()` for cells. */
  readonly load = async (specifier: unknown): Promise<Exports> => {
    const name = moduleCalled(String(specifier));
    if (name === "luvit") await this.prepare([name]);
    if (this.isEsModule(name)) return this.importNative(name);
    const loaded = this.require(name) as Exports;
    if (loaded?.__esModule) return loaded;
    return { ...(typeof loaded === "object" ? loaded : {}), default: loaded };
  };

  private wrap(original: NodeJS.Require, folder: string, importer?: string): NodeJS.Require {
    const find = (name: string): unknown => {
      if (name === "tslab") return loadTslab();
      const ready = this.namespaces.get(name);
      if (ready) return ready;
      const file = this.local.file(name, folder);
      if (file !== undefined) return this.local.exports(file, importer);
      return name === "luvit" && !resolvable(original, name) ? require(packageRoot()) : original(name);
    };
    return new Proxy(original, { apply: (_target, _this, [name]: [string]) => find(name) });
  }

  private isEsModule(name: string): boolean {
    if (isBuiltin(name) || name === "tslab" || this.local.file(name, this.folder)) return false;
    let path: string;
    try {
      path = this.own.resolve(name);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
    }
    if (/\.(mjs|mts)$/.test(path)) return true;
    return path.endsWith(".js") && packageType(dirname(path)) === "module";
  }
}

/** What Node calls a module, for the name that a cell has made of `npm:`. */
function moduleCalled(specifier: string): string {
  if (!isNpmSpecifier(specifier)) return specifier;
  const found = resolveNpm(specifier, process.cwd());
  if ("problem" in found) throw new LuvitError("missing-file", found.problem);
  return found.module;
}

const start = Symbol.for("luvit.backend.start");

/** Has the copies of this library that cells have loaded start what single ops run on; `ready()` tells what fails. */
async function startLibrary(): Promise<void> {
  await (globalThis as unknown as Record<symbol, (() => Promise<void>) | undefined>)
    [start]?.()
    .catch(() => {});
}

/** Defines a named import as a plain property, so that a later cell can declare the name again. */
export function define(target: Exports, name: string, { get, value }: PropertyDescriptor): void {
  if (name !== "__esModule") target[name] = get ? get() : value;
}

/** What compiled code calls by these names; `stop` and `halt` come from whoever can interrupt. */
export function cellGlobals(stop: Int32Array, halt: () => void, load: CellModules["load"]) {
  return { [names.stop]: stop, [names.halt]: halt, [names.load]: load, [names.define]: define };
}

/** An `import()` of Node's own that resolves from a folder. */
function nativeImport(folder: string): (specifier: string) => Promise<Exports> {
  const { USE_MAIN_CONTEXT_DEFAULT_LOADER: loader } = vm.constants as {
    USE_MAIN_CONTEXT_DEFAULT_LOADER?: number;
  };
  if (loader !== undefined) {
    const script = new vm.Script("(specifier) => import(specifier)", {
      filename: join(folder, "luvit-kernel-import.js"),
      importModuleDynamically: loader as never,
    });
    return script.runInThisContext() as (specifier: string) => Promise<Exports>;
  }
  const load = new Function("specifier", "return import(specifier)") as (name: string) => Promise<Exports>;
  const from = createRequire(join(folder, "cell.js"));
  return (specifier) => load(pathToFileURL(from.resolve(specifier)).href);
}

/** A namespace in the form that compiled `import` statements take from `require`. */
function requirable(namespace: Exports): Exports {
  const module: Exports = Object.defineProperty({}, "__esModule", { value: true });
  for (const name of Object.keys(namespace))
    Object.defineProperty(module, name, { enumerable: true, get: () => namespace[name] });
  return module;
}

function resolvable(from: NodeJS.Require, name: string): boolean {
  try {
    from.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function packageType(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const manifest = join(at, "package.json");
    if (existsSync(manifest)) return (JSON.parse(readFileSync(manifest, "utf8")) as { type?: string }).type;
    if (at === dirname(at)) return undefined;
  }
}
