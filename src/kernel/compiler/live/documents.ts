import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { isLibraryFile, type LiveHost } from "./host";

/** A node with the comments that parsing found before it. */
interface Commented extends ts.Node {
  jsDoc?: ts.JSDoc[];
}

/** Files that have their comments. */
const read = new WeakSet<ts.SourceFile>();

/**
 * The doc comments of libraries. Two fifths of the time of parsing declarations is that of their comments, which only
 * help wants: they are read file by file, when something in one is asked about.
 */
export class Documents {
  constructor(
    private readonly compiler: TypeScript,
    private readonly host: LiveHost,
  ) {}

  /** Gives the declarations of a symbol their comments. */
  read(checker: ts.TypeChecker, symbol: ts.Symbol): void {
    const isAlias = symbol.flags & this.compiler.SymbolFlags.Alias;
    const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    for (const one of [symbol, target])
      for (const declaration of one.declarations ?? []) this.readFile(declaration.getSourceFile());
  }

  private readFile(file: ts.SourceFile): void {
    if (read.has(file) || !isLibraryFile(file.fileName)) return;
    read.add(file);
    this.copy(this.host.documented(file), file);
  }

  /** Both are the trees of one text, which differ in comments only. */
  private copy(from: Commented, to: Commented): void {
    if (from.jsDoc && !to.jsDoc) {
      to.jsDoc = from.jsDoc;
    }
    const children: ts.Node[] = [];
    this.compiler.forEachChild(to, (child) => void children.push(child));
    let index = 0;
    this.compiler.forEachChild(from, (child) => {
      const other = children[index++];
      if (other) this.copy(child, other);
    });
  }
}
