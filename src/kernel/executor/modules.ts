import { existsSync, readFileSync } from "node:fs";
import Module, { createRequire, isBuiltin } from "node:module";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { packageRoot } from "../../core/packageRoot";
import { names } from "../compiler/instrument";

type Exports = Record<string, unknown>;

interface LoadedModule extends NodeJS.Module {
  _compile(code: string, file: string): void;
}

/** Finds and loads the modules that cells name, as if the cells were files in the notebook's folder. */
export class CellModules {
  /** `require` for cells. */
  readonly require: NodeJS.Require;
  private readonly own: NodeJS.Require;
  private readonly sources = new Map<string, string>();
  private readonly loaded = new Map<string, NodeJS.Module>();
  private readonly namespaces = new Map<string, Exports>();
  private readonly importNative: (specifier: string) => Promise<Exports>;

  /** `globals` are what compiled code expects beside Node's own. */
  constructor(
    private readonly folder: string,
    private readonly globals: Record<string, unknown>,
  ) {
    this.own = createRequire(join(folder, "cell.js"));
    this.require = this.wrap(this.own, folder);
    this.importNative = nativeImport(folder);
  }

  /** Takes compiled local files; those that changed are loaded again. */
  add(outputs: readonly { path: string; data: string }[]): void {
    for (const { path, data } of outputs) {
      this.loaded.delete(normalize(path));
      this.sources.set(normalize(path), data);
    }
  }

  /** Loads the ES modules among these, which `require` may be unable to. */
  async prepare(specifiers: readonly string[]): Promise<void> {
    for (const specifier of specifiers) {
      if (this.namespaces.has(specifier) || !this.isEsModule(specifier)) continue;
      this.namespaces.set(specifier, requirable(await this.importNative(specifier)));
    }
  }

  /** `import()` for cells. */
  readonly load = async (specifier: unknown): Promise<Exports> => {
    const name = String(specifier);
    if (this.isEsModule(name)) return this.importNative(name);
    const loaded = this.require(name) as Exports;
    if (loaded?.__esModule) return loaded;
    return { ...(typeof loaded === "object" ? loaded : {}), default: loaded };
  };

  private wrap(original: NodeJS.Require, folder: string): NodeJS.Require {
    const find = (name: string): unknown => {
      if (name === "tslab") return require("tslab");
      const ready = this.namespaces.get(name);
      if (ready) return ready;
      const local = this.local(name, folder);
      if (local) return local.exports;
      return name === "luvit" && !resolvable(original, name) ? require(packageRoot()) : original(name);
    };
    return new Proxy(original, { apply: (_target, _this, [name]: [string]) => find(name) });
  }

  /** A local TypeScript file that was compiled with a cell. */
  private local(name: string, folder: string): NodeJS.Module | undefined {
    const file = resolve(folder, extname(name) === "" ? `${name}.js` : name);
    const ready = this.loaded.get(file);
    if (ready) return ready;
    const code = this.sources.get(file);
    if (code === undefined) return undefined;
    const made = new Module(file, module) as LoadedModule;
    made.filename = file;
    made.paths = (Module as unknown as { _nodeModulePaths(path: string): string[] })._nodeModulePaths(
      dirname(file),
    );
    made.require = this.wrap(made.require.bind(made) as NodeJS.Require, dirname(file));
    this.loaded.set(file, made);
    const given = Object.keys(this.globals).join(", ");
    Object.defineProperty(globalThis, localGlobals, { value: this.globals, configurable: true });
    made._compile(
      `const { ${given} } = globalThis[Symbol.for("${localGlobals.description}")]; ${code}`,
      file,
    );
    return made;
  }

  private isEsModule(name: string): boolean {
    if (isBuiltin(name) || name === "tslab" || this.local(name, this.folder)) return false;
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

const localGlobals = Symbol.for("luvit.kernel.globals");

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
