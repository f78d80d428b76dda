import { existsSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import type * as ts from "typescript";
import { packageRoot } from "../../../core/packageRoot";
import type {
  CellCompiler,
  CompiledCell,
  Completeness,
  Completion,
  Diagnostic,
  SideOutput,
} from "../cellCompiler";
import { instrument, keepImportsWritable } from "../instrument";
import { providePackages } from "../packages";
import { completePath } from "../paths";
import { chain, type Locate, parseMap, splitInlineMap } from "../sourceMaps";
import type { EditedText } from "../textEdits";
import type { TypeScript } from "../typescript";
import {
  type CellMetadata,
  type Converter,
  cellMetadata,
  createConverter,
  loadTslabTypeScript,
  throwCrash,
} from "./converter";
import { EditedFiles } from "./editedFiles";
import { editCell } from "./edits";
import { LibraryFiles } from "./libraryFiles";

const mapMark = /\n\/\/# luvit-map=(\d+)$/;

/** Cells in TypeScript 5.0, by tslab's converter. */
export class TslabCompiler implements CellCompiler {
  private readonly compiler: TypeScript = loadTslabTypeScript();
  private converter: Converter;
  private readonly files = new LibraryFiles();
  private readonly edited = new EditedFiles();
  private readonly maps = new Map<number, Locate>();
  private compilations = 0;

  /** `declarations`: names that every cell sees beside Node's. */
  constructor(
    private folder: string,
    private readonly language: "typescript" | "javascript",
    private declarations = "",
  ) {
    this.converter = this.createConverter();
  }

  /** The converter stays in the folder that was the current one when it was made. */
  private createConverter(): Converter {
    const { sys, ModuleResolutionKind } = this.compiler;
    Object.assign(sys, providePackages(sys, this.folder, { luvit: packageRoot() }));
    const compilerOptions = { inlineSourceMap: true, moduleResolution: ModuleResolutionKind.Bundler };
    const transpile = (source: string, options: ts.TranspileOptions) => this.transpile(source, options);
    const { files, edited, language } = this;
    return createConverter({ compilerOptions, transpile, files, edited }, language);
  }

  /** The cell's code, or what the compiler objects to. */
  compile(source: string): CompiledCell | Diagnostic[] {
    const metadata = cellMetadata(source);
    if (metadata.module) return this.addModule(metadata.module, source, metadata);
    this.edited.check();
    const { folder } = this;
    const { edited, awaits, imports } = editCell(this.compiler, source);
    const converted = this.converter.convert(this.declarations, edited.text);
    throwCrash();
    const findings = converted.diagnostics.map((finding) => original(finding, edited));
    if (findings.length > 0) return findings;
    const { code, locate } = this.takeMap(converted.output ?? "");
    return {
      code: code.trim() === "" ? undefined : code,
      locate: (line, column) => inCell(locate(line, column), edited),
      awaits,
      imports,
      lastExpression: converted.lastExpressionVar,
      sideOutputs: (converted.sideOutputs ?? []).map((output) => this.sideOutput(output)),
      commit: () => {
        this.declarations = seenFrom(converted.declOutput ?? "", folder, this.folder);
      },
    };
  }

  /** Candidates at an offset in UTF-16 units. */
  complete(source: string, offset: number): Completion {
    const found = this.converter.complete(this.declarations, source, offset);
    if (found.candidates.length > 0) return found;
    return completePath(this.compiler, this.folder, source, offset) ?? found;
  }

  /**
   * What the compiler knows about the name at an offset in UTF-16 units, or about the function whose arguments are there;
   * undefined for unknown names.
   */
  inspect(source: string, offset: number): ts.QuickInfo | undefined {
    this.files.document();
    const info = this.converter.inspect(this.declarations, source, offset);
    const text = (info?.displayParts ?? []).map((part) => part.text).join("");
    return text === "any" || text === "" ? undefined : info;
  }

  /** Whether more lines are to be waited for. */
  completeness(source: string): Completeness {
    const { isCompleteCode } = require("tslab/dist/converter") as {
      isCompleteCode(source: string): { completed: boolean; indent?: string };
    };
    const { completed, indent = "" } = isCompleteCode(source);
    if (!completed) return { status: "incomplete", indent };
    const tree = this.compiler.createSourceFile("cell.ts", source, this.compiler.ScriptTarget.ES2022);
    const { parseDiagnostics = [] } = tree as unknown as { parseDiagnostics?: ts.Diagnostic[] };
    if (parseDiagnostics.length === 0) return { status: "complete" };
    const open = parseDiagnostics.some(
      ({ code }) => code === unterminatedTemplate || code === unterminatedComment,
    );
    return open ? { status: "incomplete", indent: "" } : { status: "invalid" };
  }

  moveTo(folder: string): void {
    if (folder === this.folder) return;
    this.converter.close();
    this.declarations = seenFrom(this.declarations, this.folder, folder);
    this.folder = folder;
    this.converter = this.createConverter();
  }

  close(): void {
    this.converter.close();
  }

  private addModule(name: string, source: string, metadata: CellMetadata): CompiledCell | Diagnostic[] {
    const findings = this.converter.addModule(name, source, metadata);
    if (findings.length > 0) return findings;
    return { locate: () => undefined, awaits: false, imports: [], sideOutputs: [], commit() {} };
  }

  /** From ES modules to CommonJS; the result names the map of both compilations. */
  private transpile(source: string, options: ts.TranspileOptions): string {
    const { code, map } = splitInlineMap(source);
    const { outputText, sourceMapText } = this.compiler.transpileModule(code, {
      ...options,
      compilerOptions: { ...options.compilerOptions, sourceMap: true },
      transformers: { before: [instrument(this.compiler)], after: [keepImportsWritable(this.compiler)] },
    });
    const id = ++this.compilations;
    const maps = [parseMap(sourceMapText!), ...(map ? [map] : [])];
    this.maps.set(id, chain(maps));
    return `${outputText.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "")}\n//# luvit-map=${id}`;
  }

  private sideOutput({ path, data }: { path: string; data: string }): SideOutput {
    const { code, locate } = this.takeMap(data);
    const stem = path.slice(0, -extname(path).length);
    const source = [".ts", ".tsx"].map((end) => stem + end).find(existsSync);
    const text = source === undefined ? "" : readFileSync(source, "utf8");
    return { path, data: code, locate, source: source ?? path, text };
  }

  private takeMap(text: string): { code: string; locate: Locate } {
    const id = Number(mapMark.exec(text)?.[1]);
    const locate = this.maps.get(id) ?? (() => undefined);
    this.maps.delete(id);
    return { code: text.replace(mapMark, ""), locate };
  }
}

const unterminatedTemplate = 1160;
const unterminatedComment = 1010;

/** Declarations of cells of one folder, as they read in another. */
function seenFrom(declarations: string, from: string, to: string): string {
  if (from === to) return declarations;
  return declarations.replace(
    /(\b(?:from|import\()\s*")(\.{1,2}\/[^"]*)"/g,
    (_, before: string, path: string) => {
      const moved = relative(to, join(from, path)).split(sep).join("/");
      return `${before}${moved.startsWith(".") ? moved : `./${moved}`}"`;
    },
  );
}

function original(finding: Diagnostic, edited: EditedText): Diagnostic {
  if (finding.fileName) return finding;
  return { ...finding, start: edited.position(finding.start), end: edited.position(finding.end) };
}

/** A place in the compiled source, which has one line above the cell, as a place in the cell as written. */
function inCell(place: ReturnType<Locate>, edited: EditedText): ReturnType<Locate> {
  return place && place.line >= 2 ? edited.locate({ ...place, line: place.line - 1 }) : undefined;
}
