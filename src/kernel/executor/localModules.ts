import Module from "node:module";
import { dirname, extname, isAbsolute, normalize, resolve } from "node:path";

interface LoadedModule extends NodeJS.Module {
  _compile(code: string, file: string): void;
}

/** Gives a module's `require` what cells' has; `file` is the module's own. */
type Wrap = (original: NodeJS.Require, folder: string, file: string) => NodeJS.Require;

const given = Symbol.for("luvit.kernel.globals");

/** Local TypeScript files that were compiled with cells, as modules. */
export class LocalModules {
  private readonly sources = new Map<string, string>();
  private readonly imported = new Set<string>();
  private readonly loaded = new Map<string, NodeJS.Module>();
  /** Files that import a file. */
  private readonly importers = new Map<string, Set<string>>();

  /** `globals` are what compiled code expects beside Node's own; `onLoad` is told each file whose code begins. */
  constructor(
    private readonly globals: Record<string, unknown>,
    private readonly onLoad: (file: string) => void,
    private readonly wrap: Wrap,
  ) {}

  /** Takes compiled files; those that changed are loaded again, and with them what imports them. */
  add(outputs: readonly { path: string; data: string }[]): void {
    for (const { path, data } of outputs) {
      this.sources.set(normalize(path), data);
      for (const [, name] of data.matchAll(/\brequire\("([^"./][^"]*)"\)/g)) this.imported.add(name!);
      this.forget(normalize(path));
    }
  }

  /** The file that a module of `folder` calls so, if it is one of these. */
  file(name: string, folder: string): string | undefined {
    if (!name.startsWith(".") && !isAbsolute(name)) return undefined; // a package
    const stem = /\.[cm]?tsx?$/.test(name) ? name.slice(0, -extname(name).length) : name;
    const file = resolve(folder, extname(stem) === "" || stem !== name ? `${stem}.js` : stem);
    return this.sources.has(file) ? file : undefined;
  }

  /** Packages that these import. */
  get packages(): readonly string[] {
    return [...this.imported];
  }

  /** What one of these exports; `importer` is the local file that asks. */
  exports(file: string, importer: string | undefined): unknown {
    if (importer !== undefined) {
      const importers = this.importers.get(file) ?? new Set();
      this.importers.set(file, importers.add(importer));
    }
    return (this.loaded.get(file) ?? this.load(file)).exports;
  }

  loadedExports(file: string): Record<string, unknown> | undefined {
    return this.loaded.get(file)?.exports;
  }

  private load(file: string): NodeJS.Module {
    const made = new Module(file, module) as LoadedModule;
    const folder = dirname(file);
    made.filename = file;
    made.paths = (Module as unknown as { _nodeModulePaths(path: string): string[] })._nodeModulePaths(folder);
    made.require = this.wrap(made.require.bind(made) as NodeJS.Require, folder, file);
    this.loaded.set(file, made);
    const names = Object.keys(this.globals).join(", ");
    const begin = () => {
      this.onLoad(file);
      return this.globals;
    };
    Object.defineProperty(globalThis, given, { value: begin, configurable: true });
    const start = `const { ${names} } = globalThis[Symbol.for("${given.description}")](); `;
    try {
      made._compile(start + this.sources.get(file)!, file);
    } catch (error) {
      this.loaded.delete(file); // half of a module is none: the next import tries again
      throw error;
    }
    return made;
  }

  private forget(file: string): void {
    this.loaded.delete(file);
    const importers = this.importers.get(file) ?? [];
    this.importers.delete(file);
    for (const importer of importers) this.forget(importer);
  }
}
