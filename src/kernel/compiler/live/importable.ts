import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { isLibraryFile } from "./host";
import type { LiveProgram } from "./program";

/** A value that an import would bring. */
export interface Importable {
  name: string;
  module: string;
}

/** Most files of the notebook's folder that are looked into, and most bytes of one declaration file. */
const mostFiles = 100;
const mostBytes = 1 << 19;

/** Packages that every cell may import. */
const always = ["luvit"];

/** What one file says that it exports. */
interface Exports {
  stamp: number;
  names: string[];
  /** Files all of whose exports are its own, too. */
  others: string[];
}

/**
 * What could be imported: from Node's modules, packages and local files. The texts of their exports are read between
 * requests, a file at a time, from the first time that somebody asks; nothing is checked for it.
 */
export class ImportableNames {
  private nodes: Importable[] = [];
  private readonly read = new Map<string, Exports>();
  private readonly waiting = new Set<string>();
  private entries: { module: string; file: string }[] = [];
  private reading: NodeJS.Immediate | undefined;
  private key = "";

  constructor(
    private readonly compiler: TypeScript,
    private readonly live: LiveProgram,
  ) {}

  /** Those that begin with this and are known by now: of local files, this library, Node and other packages. */
  beginningWith(begun: string): Importable[] {
    this.refresh();
    const found = new Map<string, Importable>();
    const add = (module: string, names: Iterable<string>): void => {
      for (const name of names) if (name.startsWith(begun)) found.set(`${name} ${module}`, { name, module });
    };
    const near = this.entries.filter(isNear);
    for (const { module, file } of near) add(module, this.namesOf(file));
    for (const { module, name } of this.nodes) add(module, [name]);
    for (const { module, file } of this.entries) if (!isNear({ module })) add(module, this.namesOf(file));
    const all = [...found.values()];
    return [...all.filter(({ name }) => name === begun), ...all.filter(({ name }) => name !== begun)];
  }

  close(): void {
    clearImmediate(this.reading);
  }

  /** Has what is new read soon. */
  private refresh(): void {
    const { folder, packages } = this.live;
    const key = [folder, stampOf(folder), manifestOf(folder)?.stamp, ...packages].join("\n");
    if (key !== this.key) this.entries = [...this.files(), ...this.packages()];
    this.key = key;
    for (const { file } of this.entries)
      if (!isLibraryFile(file) && this.read.get(file)?.stamp !== stampOf(file)) this.waiting.add(file);
    this.readOn();
  }

  private readOn(): void {
    if (this.reading || (this.waiting.size === 0 && this.nodes.length > 0)) return;
    this.reading = setImmediate(() => {
      this.reading = undefined;
      const [file] = this.waiting;
      if (this.nodes.length === 0) this.nodes = this.ofNode();
      else if (file !== undefined) this.readFile(file);
      this.readOn();
    }); // not unreferenced: a resting loop would come to it only when something else wakes it
  }

  private ofNode(): Importable[] {
    const { checker } = this.live;
    const { Value } = this.compiler.SymbolFlags;
    return checker.getAmbientModules().flatMap((module) => {
      const name = module.name.replaceAll('"', "");
      if (!name.startsWith("node:")) return [];
      const values = checker
        .getExportsOfModule(module)
        .filter(({ flags, name: one }) => flags & Value && isWord(one));
      return values.map((one) => ({ name: one.name, module: name }));
    });
  }

  private packages(): { module: string; file: string }[] {
    const { folder, packages } = this.live;
    const named = [...always, ...(manifestOf(folder)?.names ?? []), ...packages];
    return [...new Set(named)].flatMap((module) => {
      const file = this.fileOf(module, join(folder, "cell.ts"));
      if (file !== undefined && !this.read.has(file)) this.waiting.add(file);
      return file === undefined ? [] : [{ module, file }];
    });
  }

  private files(): { module: string; file: string }[] {
    const { folder } = this.live;
    if (!existsSync(folder)) return []; // somebody has removed it
    const files = readdirSync(folder).filter((file) => /(?<!\.d)\.tsx?$/.test(file));
    return files.slice(0, mostFiles).map((file) => ({
      module: `./${file.replace(/\.tsx?$/, "")}`,
      file: join(folder, file),
    }));
  }

  private *namesOf(path: string, from: readonly string[] = []): Generator<string> {
    const { names, others } = this.read.get(path) ?? { names: [], others: [] };
    yield* names;
    for (const other of others) if (!from.includes(other)) yield* this.namesOf(other, [...from, path]);
  }

  private readFile(path: string): void {
    this.waiting.delete(path);
    const exports: Exports = { stamp: stampOf(path), names: [], others: [] };
    this.read.set(path, exports);
    const text = textIn(path);
    if (text === undefined) return;
    const { compiler } = this;
    const { statements } = compiler.createSourceFile(path, text, {
      languageVersion: compiler.ScriptTarget.ES2022,
      jsDocParsingMode: compiler.JSDocParsingMode.ParseNone,
    });
    exports.names = statements.flatMap((statement) => exportedBy(compiler, statement)).filter(isWord);
    for (const statement of statements) {
      if (!compiler.isExportDeclaration(statement) || statement.exportClause || statement.isTypeOnly)
        continue;
      const next = this.fileOf((statement.moduleSpecifier as ts.StringLiteral).text, path);
      if (next === undefined) continue;
      exports.others.push(next);
      if (!this.read.has(next)) this.waiting.add(next);
    }
  }

  private fileOf(specifier: string, from: string): string | undefined {
    const { host, options } = this.live;
    return this.compiler.resolveModuleName(specifier, from, options, host).resolvedModule?.resolvedFileName;
  }
}

const isNear = ({ module }: { module: string }) => module.startsWith("./") || always.includes(module);
const isWord = (name: string) =>
  /^[A-Za-z_$][\w$]*$/.test(name) && name !== "default" && !name.startsWith("__");

/** The values that a statement exports by name. */
function exportedBy(compiler: TypeScript, statement: ts.Statement): string[] {
  if (!compiler.isExportDeclaration(statement)) return declared(compiler, statement);
  const { exportClause, isTypeOnly } = statement;
  if (isTypeOnly || !exportClause) return [];
  if (compiler.isNamespaceExport(exportClause)) return [exportClause.name.text];
  return exportClause.elements.filter((one) => !one.isTypeOnly).map(({ name }) => name.text);
}

/** The values that an exported statement declares. */
function declared(compiler: TypeScript, statement: ts.Statement): string[] {
  const modifiers = compiler.canHaveModifiers(statement) ? (compiler.getModifiers(statement) ?? []) : [];
  const kinds = modifiers.map(({ kind }) => kind);
  const { ExportKeyword, DefaultKeyword } = compiler.SyntaxKind;
  if (!kinds.includes(ExportKeyword) || kinds.includes(DefaultKeyword)) return [];
  if (compiler.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) =>
      compiler.isIdentifier(name) ? [name.text] : [],
    );
  const isValue =
    compiler.isFunctionDeclaration(statement) ||
    compiler.isClassDeclaration(statement) ||
    compiler.isEnumDeclaration(statement);
  return isValue && statement.name ? [statement.name.text] : [];
}

/** What the nearest manifest lists but for declarations, and what differs after an edit of it. */
function manifestOf(folder: string): { names: string[]; stamp: number } | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, "package.json");
    if (existsSync(path)) return { names: dependenciesIn(path), stamp: stampOf(path) };
    if (at === dirname(at)) return undefined;
  }
}

function dependenciesIn(manifest: string): string[] {
  try {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(manifest, "utf8")) as {
      dependencies?: object;
      devDependencies?: object;
    };
    const names = Object.keys({ ...dependencies, ...devDependencies });
    return names.filter((name) => !name.startsWith("@types/"));
  } catch {
    return []; // a manifest that is being written lists nothing
  }
}

/** What is in a file; undefined where it is none, too long, or cannot be read. */
function textIn(path: string): string | undefined {
  try {
    const found = statSync(path);
    return found.isFile() && found.size < mostBytes ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

function stampOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
