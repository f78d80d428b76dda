import { statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type * as ts from "typescript";
import { packageRoot } from "../../../core/packageRoot";
import { providePackages } from "../packages";
import { librariesFolder, type TypeScript } from "../typescript";
import { isNodeIndex, WithheldModules, withoutDocs } from "./lighter";

/** A compiler's paths have slashes everywhere. */
export const slashed = (path: string) => (sep === "/" ? path : path.replaceAll(sep, "/"));

const libraries = slashed(librariesFolder());
const ownDeclarations = `${slashed(packageRoot())}/dist/`;

interface Parsed {
  file: ts.SourceFile;
  /** What differs after an edit; undefined for files that are not looked at again. */
  stamp: string | undefined;
}

/** Reads and parses files for the compiler, each once until it changes. */
export class LiveHost implements ts.CompilerHost {
  private readonly parsed = new Map<string, Parsed>();
  private readonly virtual = new Map<string, ts.SourceFile | string>();
  private readonly withheld = new WithheldModules();
  /** Files of Node's declarations that are wanted later, and how they will be. */
  private ahead: { path: string; given: ts.CreateSourceFileOptions }[] = [];
  private system: ts.System;

  constructor(
    private readonly compiler: TypeScript,
    private readonly folder: string,
    private readonly options: ts.CompilerOptions,
  ) {
    this.system = compiler.sys;
    this.provideIn(folder);
    if (options.types!.length > 1) this.withheld.admitNode(); // others may be made of Node's
  }

  /** Has the packages that every cell may import found from a folder. */
  provideIn(folder: string): void {
    const packages = { luvit: packageRoot(), tslab: dirname(require.resolve("tslab/package.json")) };
    this.system = { ...this.system, ...providePackages(this.system, folder, packages) };
  }

  /** Puts a file of memory in the place of one on disk. */
  setVirtual(path: string, file: ts.SourceFile | string | undefined): void {
    this.parsed.delete(path);
    if (file === undefined) this.virtual.delete(path);
    else this.virtual.set(path, file);
  }

  /** Forgets local files that were edited or deleted since they were read; tells whether there were any. */
  forgetEdited(): boolean {
    let found = false;
    for (const [path, { stamp }] of this.parsed) {
      if (stamp === undefined || stamp === stampOf(path)) continue;
      this.parsed.delete(path);
      found = true;
    }
    return found;
  }

  /** Has the rare modules of Node that a text names read from now on; tells whether there were any. */
  admit(text: string): boolean {
    return this.readAnew(() => this.withheld.admit(text));
  }

  /** Has Node's declarations read, the rare modules apart; tells whether they were not. */
  admitNode(): boolean {
    this.ahead = [];
    return this.readAnew(() => this.withheld.admitNode());
  }

  /** Forgets the files, read as empty, of what is admitted; tells whether anything was. */
  private readAnew(admit: () => boolean): boolean {
    const empty = [...this.parsed.keys()].filter((path) => this.withheld.has(path));
    if (!admit()) return false;
    for (const path of empty) if (!this.withheld.has(path)) this.parsed.delete(path);
    return true;
  }

  /** Reads one more file of Node's declarations, while there is time; tells whether there was one. */
  readAhead(): boolean {
    const next = this.ahead.pop();
    if (!next) return false;
    this.getSourceFile(next.path, next.given);
    return true;
  }

  /** What an index of declarations refers to. */
  private lookAhead(index: string, given: ts.CreateSourceFileOptions): void {
    const { referencedFiles } = this.compiler.preProcessFile(this.readFile(index) ?? "", false);
    this.ahead = referencedFiles.map(({ fileName }) => ({
      path: slashed(join(dirname(index), fileName)),
      given,
    }));
  }

  readonly getSourceFile = (path: string, options: ts.ScriptTarget | ts.CreateSourceFileOptions) => {
    const known = this.parsed.get(path)?.file ?? this.virtual.get(path);
    if (known !== undefined && typeof known !== "string") return known;
    const isLibrary = isLibraryFile(path);
    const stamp = isLibrary || known !== undefined ? undefined : stampOf(path);
    const given = typeof options === "object" ? options : { languageVersion: options };
    const isWithheld = known === undefined && this.withheld.has(path);
    if (isWithheld && isNodeIndex(path)) this.lookAhead(path, given);
    const text = known ?? (isWithheld ? "" : this.readFile(path));
    if (text === undefined) return undefined;
    const { ParseNone, ParseAll } = this.compiler.JSDocParsingMode;
    const jsDocParsingMode = isLibrary ? ParseNone : ParseAll;
    const file = this.compiler.createSourceFile(path, isLibrary ? withoutDocs(text) : text, {
      ...given,
      jsDocParsingMode,
    });
    this.parsed.set(path, { file, stamp });
    return file;
  };

  /** A library's file with its comments, which are left out otherwise: they are three fifths of all text. */
  documented(file: ts.SourceFile): ts.SourceFile {
    const text = this.readFile(file.fileName) ?? file.text;
    return this.compiler.createSourceFile(file.fileName, text, file.languageVersion, true);
  }

  readonly hasInvalidatedResolutions = (path: string) => !isLibraryFile(path);
  readonly fileExists = (path: string) => this.virtual.has(path) || this.system.fileExists(path);
  readonly readFile = (path: string) => this.system.readFile(path);
  readonly directoryExists = (path: string) => this.system.directoryExists(path);
  readonly getDirectories = (path: string) => this.system.getDirectories(path);
  readonly readDirectory: ts.System["readDirectory"] = (...given) => this.system.readDirectory(...given);
  readonly realpath = (path: string) => this.system.realpath?.(path) ?? path;
  readonly getCompilationSettings = () => this.options;
  readonly getCurrentDirectory = () => this.folder;
  readonly getDefaultLibLocation = () => libraries;
  readonly getDefaultLibFileName = () => join(libraries, "lib.d.ts");
  readonly getCanonicalFileName = (path: string) => path;
  readonly useCaseSensitiveFileNames = () => true;
  readonly getNewLine = () => "\n";
  readonly writeFile = () => {};
}

/** Declarations of packages, which a session does not see change: what Node has loaded does not either. */
export function isLibraryFile(path: string): boolean {
  return (
    path.includes("/node_modules/") ||
    path.startsWith(libraries) ||
    (path.endsWith(".d.ts") && path.startsWith(ownDeclarations))
  );
}

/** What differs after an edit, also one that replaces the file; empty where there is none. */
function stampOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : "";
}
