import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import type { CellFile } from "./program";

type Symbols = Map<ts.__String, ts.Symbol>;

/** What a cell declares, before it sees what others have. */
export interface Own {
  symbols: Symbols;
  /** Names that the cell exports by itself. */
  exported: ReadonlySet<string>;
}

/**
 * The names that a cell finds beside its own: what earlier cells have declared, the last declaration of a value and of
 * a type each.
 */
export class Scope {
  private readonly values: Symbols = new Map();
  private readonly types: Symbols = new Map();
  private readonly running = new Set<string>();

  constructor(private readonly compiler: TypeScript) {}

  /** Makes the declarations of a bound file visible to every cell; the kernel holds their values. */
  provide(file: CellFile): void {
    for (const [name, symbol] of file.symbol.exports) {
      this.values.set(name, symbol);
      this.running.add(this.text(name));
    }
  }

  /** Those among the words of a text whose values the kernel holds. */
  valuesIn(source: string): string[] {
    return [...wordsOf(source)].filter((word) => this.running.has(word));
  }

  /** What a bound cell declares; to be asked before `open`. */
  own(file: CellFile): Own {
    const { ExportStar } = this.compiler.SymbolFlags;
    const exported = [...file.symbol.exports].filter(
      ([name, { flags }]) => name !== "default" && !(flags & ExportStar),
    );
    return {
      symbols: new Map([...file.locals, ...exported]),
      exported: new Set(exported.map(([name]) => this.text(name))),
    };
  }

  /**
   * Lets a bound cell see the names, as if they were declared around it. A name that the cell declares only as a value
   * or only as a type still means the other as well.
   */
  open(file: CellFile): void {
    const { locals, symbol } = file;
    const { Value, Type, Namespace, Alias } = this.compiler.SymbolFlags;
    const offer = (symbols: Symbols, meanings: number) => {
      for (const [name, one] of symbols) {
        const taken = locals.get(name);
        if (!taken) locals.set(name, one);
        else if (taken !== one && !(taken.flags & meanings) && !symbol.exports.has(name))
          symbol.exports.set(name, one);
      }
    };
    offer(this.values, Value | Alias); // an import of a type alone still hides a value
    offer(this.types, Type | Namespace);
  }

  /**
   * Takes from a checked cell the names that it does not use, so that it keeps no more of the cells before it than its
   * own types need: those declared anew since are let go. Returns what it keeps.
   */
  close(file: CellFile, { symbols, exported }: Own, checker: ts.TypeChecker): ts.Symbol[] {
    const { Type, Namespace } = this.compiler.SymbolFlags;
    const words = wordsOf(file.text).add(elementFactory);
    for (const name of [...file.locals.keys()])
      if (!symbols.has(name) && !words.has(this.text(name))) file.locals.delete(name);
    for (const name of [...file.symbol.exports.keys()]) {
      const own = symbols.get(name);
      if (!own || exported.has(this.text(name))) continue;
      if (this.target(own, checker).flags & (Type | Namespace)) file.symbol.exports.delete(name);
    }
    return [...file.locals].filter(([name]) => !symbols.has(name)).map(([, symbol]) => symbol);
  }

  /** Names that have a value when the cell has run. */
  valuesOf({ symbols }: Own, checker: ts.TypeChecker): Set<string> {
    const held = [...symbols].filter(([, symbol]) => this.runs(symbol, checker));
    return new Set(held.map(([name]) => this.text(name)));
  }

  /** Makes what a cell declares visible to those after it. */
  commit({ symbols }: Own, held: ReadonlySet<string>, checker: ts.TypeChecker): void {
    const { Value, Type, Namespace } = this.compiler.SymbolFlags;
    for (const [name, symbol] of symbols) {
      if (isDisposed(this.compiler, symbol)) continue;
      const { flags } = this.target(symbol, checker);
      const isType = (flags & (Type | Namespace)) !== 0;
      if (flags & Value || !isType) this.values.set(name, symbol);
      if (isType) this.types.set(name, symbol);
      const text = this.text(name);
      if (held.has(text)) this.running.add(text);
      else if (flags & Value) this.running.delete(text);
    }
  }

  private runs(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
    const { compiler } = this;
    const declarations = symbol.declarations ?? [];
    if (isDisposed(compiler, symbol)) return false;
    if (!(this.target(symbol, checker).flags & compiler.SymbolFlags.Value)) return false;
    if (symbol.flags & compiler.SymbolFlags.Alias)
      return !declarations.some((one) => compiler.isTypeOnlyImportOrExportDeclaration(one));
    return declarations.some((one) => !isAmbient(compiler, one));
  }

  /** A name as it is written: the compiler marks those that begin with two underscores. */
  private text(name: ts.__String): string {
    return this.compiler.unescapeLeadingUnderscores(name);
  }

  private target(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
    return symbol.flags & this.compiler.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  }
}

/** What JSX means without naming it. */
const elementFactory = "React";

function wordsOf(text: string): Set<string> {
  return new Set(text.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
}

/** Whether a variable ends with its cell, as those of `using` do. */
function isDisposed(compiler: TypeScript, { valueDeclaration: one }: ts.Symbol): boolean {
  return one !== undefined && compiler.isVariableDeclaration(one) && (one.parent.flags & usingFlag) !== 0;
}

/** `NodeFlags.Using`, also set for `await using`. */
const usingFlag = 4;

function isAmbient(compiler: TypeScript, node: ts.Node): boolean {
  for (let at: ts.Node = node; at && !compiler.isSourceFile(at); at = at.parent) {
    const modifiers = compiler.canHaveModifiers(at) ? (compiler.getModifiers(at) ?? []) : [];
    if (modifiers.some(({ kind }) => kind === compiler.SyntaxKind.DeclareKeyword)) return true;
  }
  return false;
}
