import type * as ts from "typescript";
import { signatureInfo } from "../signatures";
import type { TypeScript } from "../typescript";
import { neverCancelled } from "./completion";
import { Documents } from "./documents";
import type { CellFile, LiveProgram } from "./program";

/** What the compiler has beside its published interface. */
interface Internals {
  getTouchingPropertyName(file: ts.SourceFile, position: number): ts.Node;
  SymbolDisplay: {
    getSymbolDisplayPartsDocumentationAndSymbolKind(
      checker: ts.TypeChecker,
      symbol: ts.Symbol,
      file: ts.SourceFile,
      enclosing: ts.Node | undefined,
      location: ts.Node,
    ): {
      symbolKind: ts.ScriptElementKind;
      displayParts: ts.SymbolDisplayPart[];
      documentation: ts.SymbolDisplayPart[];
      tags?: ts.JSDocTagInfo[];
    };
  };
}

/** What is known about the name at an offset; between a call's brackets, about the function that is called. */
export function informationAt(
  compiler: TypeScript,
  live: LiveProgram,
  file: CellFile,
  offset: number,
): ts.QuickInfo | undefined {
  const documents = new Documents(compiler, live.host);
  const { checker } = live;
  const node = (compiler as unknown as Internals).getTouchingPropertyName(file, offset);
  const symbol = node === file ? undefined : symbolAt(compiler, checker, node);
  if (symbol) return ofSymbol(compiler, checker, documents, symbol, node, file);
  return signatureInfo(compiler, live.current, file, offset, neverCancelled, (call) => {
    const called = checker.getSymbolAtLocation(calledName(compiler, call));
    if (called) documents.read(checker, called);
  });
}

function ofSymbol(
  compiler: TypeScript,
  checker: ts.TypeChecker,
  documents: Documents,
  symbol: ts.Symbol,
  node: ts.Node,
  file: ts.SourceFile,
): ts.QuickInfo | undefined {
  documents.read(checker, symbol);
  const { SymbolDisplay } = compiler as unknown as Internals;
  const enclosing = compiler.findAncestor(node.parent, (one) => isContainer(compiler, one));
  const { symbolKind, displayParts, documentation, tags } =
    SymbolDisplay.getSymbolDisplayPartsDocumentationAndSymbolKind(checker, symbol, file, enclosing, node);
  const text = displayParts.map((part) => part.text).join("");
  if (text === "any" || text === "") return undefined;
  const textSpan = { start: node.getStart(file), length: node.getWidth(file) };
  return { kind: symbolKind, kindModifiers: "", textSpan, displayParts, documentation, tags };
}

/** What a name stands for: in an object literal that is wanted somewhere, the property that is wanted. */
function symbolAt(compiler: TypeScript, checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const { parent } = node;
  if (compiler.isNewExpression(parent) && node.pos === parent.pos)
    return checker.getSymbolAtLocation(parent.expression);
  if (compiler.isPropertyAssignment(parent) && parent.name === node && compiler.isIdentifier(node)) {
    const wanted = checker.getContextualType(parent.parent)?.getProperty(node.text);
    if (wanted) return wanted;
  }
  const symbol = checker.getSymbolAtLocation(node);
  return symbol && isUnknown(checker, symbol) ? undefined : symbol;
}

function isUnknown(checker: ts.TypeChecker, symbol: ts.Symbol): boolean {
  return (checker as unknown as { isUnknownSymbol(symbol: ts.Symbol): boolean }).isUnknownSymbol(symbol);
}

function isContainer(compiler: TypeScript, node: ts.Node): boolean {
  return (
    compiler.isSourceFile(node) ||
    compiler.isFunctionDeclaration(node) ||
    compiler.isFunctionExpression(node) ||
    compiler.isMethodDeclaration(node) ||
    compiler.isMethodSignature(node) ||
    compiler.isAccessor(node) ||
    compiler.isClassDeclaration(node) ||
    compiler.isInterfaceDeclaration(node) ||
    compiler.isEnumDeclaration(node) ||
    compiler.isModuleDeclaration(node)
  );
}

/** The name of what a call calls. */
function calledName(compiler: TypeScript, { expression }: ts.CallExpression | ts.NewExpression): ts.Node {
  return compiler.isPropertyAccessExpression(expression) ? expression.name : expression;
}
