import { dirname, join } from "node:path";
import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { isLibraryFile, LiveHost, slashed } from "./host";
import { isNodeDeclaration } from "./lighter";
import { checkOptions } from "./options";
import { shortenFlow } from "./shortFlow";

/** What the compiler has beside its published interface. */
interface Internals {
  bindSourceFile(file: ts.SourceFile, options: ts.CompilerOptions): void;
}

interface Resolution {
  resolvedModule: ts.ResolvedModuleFull | undefined;
}

/** A program as its type checker asks it. */
interface AskedProgram extends ts.Program {
  getResolvedModule(file: ts.SourceFile, name: string, mode: ts.ResolutionMode): Resolution | undefined;
  getModeForUsageLocation(file: ts.SourceFile, literal: ts.StringLiteralLike): ts.ResolutionMode;
}

/** A source file with what a program writes onto it. */
export interface CellFile extends ts.SourceFile {
  path: string;
  resolvedPath: string;
  originalFileName: string;
  imports: readonly ts.StringLiteralLike[];
  moduleAugmentations: readonly ts.Node[];
  ambientModuleNames: readonly string[];
  locals: Map<ts.__String, ts.Symbol>;
  symbol: ts.Symbol & { exports: Map<ts.__String, ts.Symbol> };
  parseDiagnostics: readonly ts.DiagnosticWithLocation[];
}

/** Cells after which the checker is made anew, so that it forgets those that nothing names any more. */
const mostCells = 200;

/**
 * A program whose type checker stays: a cell is parsed, bound and checked within it, and all that was found out about
 * the types of libraries and of earlier cells stays known. It is made anew, from the files already parsed, only when
 * cells import what they had not before, when local files change, and every 200 cells.
 */
export class LiveProgram {
  readonly host: LiveHost;
  readonly options: ts.CompilerOptions;
  /** The modules that cells name, by the folder that the cells were in. */
  private readonly specifiers = new Map<string, Set<string>>();
  /** Cells that add to the declarations of others: the checker has to begin with them. */
  private readonly augmenting = new Set<string>();
  private program: AskedProgram | undefined;
  /** By folder and specifier. */
  private resolutions = new Map<string, Resolution>();
  private ambient = new Set<string>();
  private unresolved = false;
  private fed = 0;
  private count = 0;

  constructor(
    private readonly compiler: TypeScript,
    folder: string,
    private readonly language: "typescript" | "javascript",
  ) {
    this.folder = slashed(folder);
    this.specifiers.set(this.folder, new Set());
    this.options = checkOptions(compiler, this.folder);
    this.host = new LiveHost(compiler, this.folder, this.options);
  }

  /** Where cells are. */
  folder: string;

  /** Sees cells from now on as files of another folder; those that were keep theirs. */
  moveTo(folder: string): void {
    this.folder = slashed(folder);
    if (this.specifiers.has(this.folder)) return;
    this.specifiers.set(this.folder, new Set());
    this.host.provideIn(this.folder);
  }

  get current(): ts.Program {
    this.program ??= this.build();
    return this.program;
  }

  /** Modules that cells of this folder have imported and that are no files of it. */
  get packages(): string[] {
    return [...this.specifiers.get(this.folder)!].filter((name) => !/^(?:\.|\/|node:)/.test(name));
  }

  get checker(): ts.TypeChecker {
    return this.current.getTypeChecker();
  }

  /** Parses and binds a text as a module of the notebook's folder. */
  parse(source: string, ending?: "d.ts"): CellFile {
    const { compiler, options } = this;
    const end = ending ?? (this.language === "javascript" ? "js" : isJsx(source) ? "tsx" : "ts");
    const name = `${this.folder}/__cell_${++this.count}__.${end}`;
    this.fed++;
    const file = compiler.createSourceFile(
      name,
      source,
      {
        languageVersion: options.target!,
        setExternalModuleIndicator: (one) => Object.assign(one, { externalModuleIndicator: true }),
      },
      true,
    ) as CellFile;
    Object.assign(file, { path: name, resolvedPath: name, originalFileName: name });
    Object.assign(file, { imports: [], moduleAugmentations: [], ambientModuleNames: [] });
    (compiler as unknown as Internals).bindSourceFile(file, options);
    shortenFlow(compiler, file);
    return file;
  }

  /** Makes the checker ready for a cell that names these modules; local files are looked at again. */
  prepare(source: string, specifiers: readonly string[], file?: CellFile): void {
    const { host } = this;
    const reaches = specifiers.length > 0 || file !== undefined || isJsx(source);
    const edited = [reaches && host.admitNode(), host.admit(source), host.forgetEdited()].includes(true);
    const added = specifiers.filter((name) => !this.knows(name));
    const named = this.specifiers.get(this.folder)!;
    for (const name of added) named.add(name);
    if (file) this.augment(file);
    if (this.program && !edited && added.length === 0 && !this.unresolved && !file && this.fed < mostCells)
      return;
    this.program = this.build();
    for (const name of added) if (!this.knows(name)) named.delete(name);
  }

  /** Has the rest of what cells see read before one is judged; tells whether there was any. */
  readAll(): boolean {
    if (!this.host.admitNode()) return false;
    this.program = this.build();
    return true;
  }

  /** Looks at local files again, of which one has come into memory. */
  refresh(): void {
    this.host.forgetEdited();
    this.program = this.build();
  }

  /** The errors of a cell, those of syntax first. */
  findings(file: ts.SourceFile): readonly ts.Diagnostic[] {
    const { current } = this;
    const syntax = current.getSyntacticDiagnostics(file);
    return syntax.length > 0 ? syntax : current.getSemanticDiagnostics(file);
  }

  /** Gives up a cell that was refused. */
  withdraw(file: CellFile): void {
    if (!this.augmenting.delete(file.fileName)) return;
    this.host.setVirtual(file.fileName, undefined);
    this.program = undefined;
  }

  /** The file that a cell, or a file of the program, means by a specifier. */
  resolve(specifier: string, from?: ts.SourceFile): ts.SourceFile | undefined {
    const { current } = this;
    const found = from
      ? this.literalResolution(from, specifier)
      : this.resolutions.get(placed(this.folder, specifier))?.resolvedModule;
    return found && current.getSourceFile(found.resolvedFileName);
  }

  /** Whether a file is the user's own code, to be checked and compiled. */
  isLocal(file: ts.SourceFile): boolean {
    return !isLibraryFile(file.fileName) && !isCell(file) && !isRoots(file);
  }

  private literalResolution(from: ts.SourceFile, specifier: string): ts.ResolvedModuleFull | undefined {
    const program = this.program!;
    const literal = (from as CellFile).imports.find(({ text }) => text === specifier);
    if (!literal) return undefined;
    return program.getResolvedModule(from, specifier, program.getModeForUsageLocation(from, literal))
      ?.resolvedModule;
  }

  private augment(file: CellFile): void {
    this.augmenting.add(file.fileName);
    Object.assign(file, {
      imports: undefined,
      moduleAugmentations: undefined,
      ambientModuleNames: undefined,
    });
    this.host.setVirtual(file.fileName, file);
  }

  private knows(specifier: string): boolean {
    const found = this.resolutions.get(placed(this.folder, specifier))?.resolvedModule;
    return found !== undefined || this.ambient.has(specifier);
  }

  private build(): AskedProgram {
    const { compiler, host, options } = this;
    const augmenting = [...this.augmenting].map((path) => path.replace(/\.ts$/, ""));
    const rootNames = [...this.specifiers].map(([folder, named]) => {
      const names = folder === this.folder ? [...augmenting, ...named] : [...named];
      const roots = join(folder, "__luvit_roots__.ts");
      host.setVirtual(roots, names.map((name) => `import ${JSON.stringify(name)};`).join("\n"));
      return roots;
    });
    const make = (oldProgram: ts.Program | undefined) =>
      compiler.createProgram({ rootNames, options, host, oldProgram }) as AskedProgram;
    let program = make(this.program);
    if (host.admit(importsOf(program))) program = make(program);
    this.fed = 0;
    this.takeResolutions(program);
    const resolve = program.getResolvedModule;
    program.getResolvedModule = (file, name, mode) =>
      (isCell(file) ? this.resolutions.get(placed(dirname(file.fileName), name)) : undefined) ??
      resolve(file, name, mode);
    return program;
  }

  private takeResolutions(program: AskedProgram): void {
    this.resolutions = new Map();
    this.ambient = new Set();
    this.unresolved = false;
    for (const file of program.getSourceFiles() as readonly CellFile[]) {
      for (const name of file.ambientModuleNames) this.ambient.add(name);
      if (isLibraryFile(file.fileName)) continue;
      const folder = isRoots(file) ? dirname(file.fileName) : undefined;
      for (const literal of file.imports) {
        const mode = program.getModeForUsageLocation(file, literal);
        const found = program.getResolvedModule(file, literal.text, mode);
        if (folder !== undefined && found) this.resolutions.set(placed(folder, literal.text), found);
        if (folder === undefined && !found?.resolvedModule && literal.text.startsWith("."))
          this.unresolved = true;
      }
    }
  }
}

/** The names of modules that packages and local files import, Node's own declarations apart. */
function importsOf(program: ts.Program): string {
  const files = (program.getSourceFiles() as readonly CellFile[]).filter(
    ({ fileName }) => !isNodeDeclaration(fileName),
  );
  return files.flatMap(({ imports }) => imports.map(({ text }) => text)).join("\n");
}

const isCell = (file: ts.SourceFile) => /\/__cell_\d+__\.\w+$/.test(file.fileName);
const isRoots = (file: ts.SourceFile) => file.fileName.endsWith("/__luvit_roots__.ts");
const placed = (folder: string, specifier: string) => `${folder}\n${specifier}`;

/** A cell is JSX where its first comment says what makes elements: `@jsx h` or `@jsxImportSource package`. */
export function isJsx(source: string): boolean {
  return /^\s*(?:\/\/.*\n\s*)*\/\*(?:(?!\*\/)[\s\S])*?@jsx(?:ImportSource|Runtime|Frag)?\s/.test(source);
}
