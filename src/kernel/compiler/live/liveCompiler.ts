import type * as ts from "typescript";
import type {
  CellCompiler,
  CellLanguage,
  CompiledCell,
  Completeness,
  Completion,
  Diagnostic,
} from "../cellCompiler";
import { loadTypeScript, type TypeScript } from "../typescript";
import { cellSyntax } from "./cellSyntax";
import { Chains } from "./chains";
import { completeness } from "./completeness";
import { completionAt } from "./completion";
import { lastExpression } from "./emit";
import { emitCell } from "./emitCell";
import { findingsOf } from "./findings";
import { fixOf } from "./fixes";
import { ImportableNames } from "./importable";
import { informationAt } from "./information";
import { LocalFiles } from "./localFiles";
import { moduleName, modulePath } from "./moduleCells";
import { type CellFile, LiveProgram } from "./program";
import { Scope } from "./scope";

/** Milliseconds without a request after which what later cells may want is read. */
const quiet = 100;

/** Cells in TypeScript 6, checked within a program that stays. */
export class LiveCompiler implements CellCompiler {
  private readonly compiler: TypeScript = loadTypeScript();
  private readonly live: LiveProgram;
  private readonly local: LocalFiles;
  private readonly scope: Scope;
  private readonly chains = new Chains();
  private readonly importable: ImportableNames;
  private warming: NodeJS.Timeout | undefined;
  private asked = 0;

  /** `declarations`: what every cell sees beside Node's names, and the kernel holds the values of. */
  constructor(
    folder: string,
    private readonly language: CellLanguage,
    declarations = "",
  ) {
    this.live = new LiveProgram(this.compiler, folder, language);
    this.local = new LocalFiles(this.compiler, this.live);
    this.scope = new Scope(this.compiler);
    this.importable = new ImportableNames(this.compiler, this.live);
    this.scope.provide(this.live.parse(declarations, "d.ts"));
    this.soon(() => {
      this.compiled("0"); // while nobody has asked yet
      this.readAhead();
    });
  }

  /** Reads, file by file, what the first cells may not have wanted, while nobody asks for anything. */
  private readAhead(): void {
    this.soon(
      () => {
        if (this.isBusy || this.live.host.readAhead()) this.readAhead();
        else if (this.live.readAll()) this.soon(() => void this.compiled("0"));
      },
      this.isBusy ? quiet : 0,
    );
  }

  private get isBusy(): boolean {
    return Date.now() - this.asked < quiet;
  }

  private soon(act: () => void, milliseconds = 0): void {
    this.warming = setTimeout(act, milliseconds).unref();
  }

  compile(source: string): CompiledCell | Diagnostic[] {
    const made = this.compiled(source);
    this.asked = Date.now();
    return made;
  }

  private compiled(source: string): CompiledCell | Diagnostic[] {
    const module = moduleName(source);
    if (module !== undefined) return this.addModule(module, source);
    const { compiler, live, scope } = this;
    const file = live.parse(source);
    const syntax = cellSyntax(compiler, file);
    const own = scope.own(file);
    scope.open(file);
    live.prepare(source, syntax.specifiers, syntax.augments ? file : undefined);
    const local = this.local.of(syntax.specifiers);
    let wrong = this.findings(file, local);
    if (wrong.length > 0 && live.readAll()) wrong = this.findings(file, local);
    if (wrong.length > 0) {
      const found = findingsOf(compiler, wrong, file, live.folder, (one) => fixOf(compiler, live, one));
      live.withdraw(file);
      return found;
    }
    const { checker } = live;
    const used = scope.close(file, own, checker);
    const held = scope.valuesOf(own, checker);
    const names = {
      fileName: file.fileName,
      given: scope.valuesIn(source).filter((name) => !held.has(name)),
      exported: [...held].filter((name) => !own.exported.has(name)),
    };
    const emitted = emitCell(compiler, file, names, own.symbols, checker);
    return {
      code: emitted.code.trim() === "" ? undefined : emitted.code,
      locate: emitted.locate,
      awaits: syntax.awaits,
      imports: syntax.imports,
      lastExpression: emitted.hasLast ? lastExpression : undefined,
      sideOutputs: this.local.outputs(local),
      commit: () => {
        scope.commit(own, held, checker);
        this.chains.add(own.symbols.values(), used);
      },
    };
  }

  complete(source: string, offset: number): Completion {
    return completionAt(this.compiler, this.live, this.opened(source), offset, this.importable);
  }

  inspect(source: string, offset: number): ts.QuickInfo | undefined {
    return informationAt(this.compiler, this.live, this.opened(source), offset);
  }

  completeness(source: string): Completeness {
    return completeness(this.compiler, source, this.language);
  }

  moveTo(folder: string): void {
    this.live.moveTo(folder);
  }

  close(): void {
    clearTimeout(this.warming);
    this.importable.close();
  }

  /** The errors of a cell, and of the local files that it imports. */
  private findings(file: CellFile, local: readonly ts.SourceFile[]): ts.Diagnostic[] {
    this.chains.prepare(this.live.checker);
    return [...this.live.findings(file), ...this.local.findings(local)];
  }

  /** A cell while it is written. */
  private opened(source: string): CellFile {
    this.asked = Date.now();
    const file = this.live.parse(source);
    const { specifiers } = cellSyntax(this.compiler, file);
    this.scope.open(file);
    this.live.prepare(source, specifiers);
    this.live.readAll();
    this.chains.prepare(this.live.checker);
    return file;
  }

  /** A cell that is a module for the others. */
  private addModule(name: string, source: string): CompiledCell | Diagnostic[] {
    const { live } = this;
    const path = modulePath(live.folder, name, source, this.language);
    live.host.setVirtual(path, source);
    live.refresh();
    live.prepare(source, [`./${name}`]);
    const files = this.local.ofPath(path);
    const wrong = this.local.findings(files);
    if (wrong.length > 0) return findingsOf(this.compiler, wrong, files[0], live.folder);
    return { locate: () => undefined, awaits: false, imports: [], sideOutputs: [], commit() {} };
  }
}
