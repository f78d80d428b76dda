import type * as ts from "typescript";
import type { TypeScript } from "../../typescript";
import type { Edits } from "./edits";

/** What parts of a node may have of types, by name. */
interface Typed extends ts.Node {
  type?: ts.TypeNode;
  questionToken?: ts.Node;
  exclamationToken?: ts.Node;
  typeParameters?: ts.NodeArray<ts.Node>;
  typeArguments?: ts.NodeArray<ts.Node>;
  modifiers?: ts.NodeArray<ts.ModifierLike>;
  body?: ts.Node;
}

/** Whether an expression is one that is said to have a type. */
export function isTold(
  compiler: TypeScript,
  node: ts.Node,
): node is ts.AsExpression | ts.SatisfiesExpression | ts.NonNullExpression {
  return (
    compiler.isAsExpression(node) ||
    compiler.isSatisfiesExpression(node) ||
    compiler.isNonNullExpression(node)
  );
}

/** Takes types out of code and leaves everything else where it was. */
export class Types {
  private readonly words: ReadonlySet<ts.SyntaxKind>;
  private readonly whole: ReadonlySet<ts.SyntaxKind>;
  private readonly foreign: ReadonlySet<ts.SyntaxKind>;
  /** Operators that bind tighter than `as` does. */
  private readonly tight: ReadonlySet<ts.SyntaxKind>;

  constructor(
    private readonly compiler: TypeScript,
    private readonly edits: Edits,
  ) {
    const { SyntaxKind: kinds } = compiler;
    this.words = new Set([
      ...[kinds.PublicKeyword, kinds.PrivateKeyword, kinds.ProtectedKeyword],
      ...[kinds.ReadonlyKeyword, kinds.OverrideKeyword, kinds.AbstractKeyword],
    ]);
    this.whole = new Set([kinds.InterfaceDeclaration, kinds.TypeAliasDeclaration, kinds.IndexSignature]);
    this.foreign = new Set([
      ...[kinds.EnumDeclaration, kinds.ModuleDeclaration, kinds.NamespaceExportDeclaration],
      ...[kinds.ImportDeclaration, kinds.ImportEqualsDeclaration],
      ...[kinds.ExportDeclaration, kinds.ExportAssignment, kinds.ExportKeyword, kinds.DeclareKeyword],
      ...[kinds.Decorator, kinds.AccessorKeyword, kinds.TypeAssertionExpression, kinds.MetaProperty],
      ...[kinds.JsxElement, kinds.JsxSelfClosingElement, kinds.JsxFragment],
    ]);
    this.tight = new Set([
      ...[kinds.AsteriskAsteriskToken, kinds.AsteriskToken, kinds.SlashToken, kinds.PercentToken],
      ...[kinds.PlusToken, kinds.MinusToken, kinds.LessThanLessThanToken],
      ...[kinds.GreaterThanGreaterThanToken, kinds.GreaterThanGreaterThanGreaterThanToken],
    ]);
  }

  /** Takes a node out that is nothing but types; tells whether it was. */
  drop(node: ts.Node): boolean {
    if (this.isType(node)) return true; // with what it belongs to
    if (this.compiler.isParameter(node) && this.isThis(node)) return this.dropThis(node);
    const isWhole = this.whole.has(node.kind) || this.isImplements(node);
    if (!isWhole && !this.isBodiless(node) && !this.isUnmade(node)) return false;
    this.edits.blank(node.getStart(), node.end);
    return true;
  }

  /** Takes out what a node itself has of types in front of and between its parts. */
  erase(node: ts.Node): void {
    const { compiler, edits } = this;
    if (this.foreign.has(node.kind)) edits.beyond();
    if (isTold(this.compiler, node)) return;
    const { modifiers, questionToken, exclamationToken, type, typeParameters, typeArguments } = node as Typed;
    for (const modifier of modifiers ?? []) this.eraseModifier(node, modifier);
    if (!compiler.isConditionalExpression(node)) this.eraseToken(questionToken);
    this.eraseToken(exclamationToken);
    this.eraseList(node, typeParameters);
    this.eraseList(node, typeArguments);
    if (type) this.eraseAnnotation(node, type);
  }

  /** Takes out the type that an expression is said to have. */
  eraseEnd(node: ts.Node): void {
    if (!isTold(this.compiler, node)) return;
    if (this.isParted(node)) this.edits.beyond();
    this.edits.blank(node.expression.end, node.end);
  }

  /** Whether without its type it would fall apart: `a + b as number * c` is `(a + b) * c`. */
  private isParted(node: ts.Expression): boolean {
    const { parent } = node;
    if (this.compiler.isNonNullExpression(node) || !this.compiler.isBinaryExpression(parent)) return false;
    return parent.left === node && this.tight.has(parent.operatorToken.kind);
  }

  private isType(node: ts.Node): boolean {
    const { compiler } = this;
    if (compiler.isTypeParameterDeclaration(node)) return true;
    return compiler.isTypeNode(node) && !compiler.isExpressionWithTypeArguments(node);
  }

  private isImplements(node: ts.Node): boolean {
    const { compiler } = this;
    return compiler.isHeritageClause(node) && node.token === compiler.SyntaxKind.ImplementsKeyword;
  }

  private eraseModifier(node: ts.Node, modifier: ts.ModifierLike): void {
    const { compiler, edits } = this;
    if (this.foreign.has(modifier.kind)) edits.beyond();
    if (!this.words.has(modifier.kind)) return;
    if (compiler.isParameter(node)) edits.beyond(); // it is a field as well
    edits.blank(modifier.getStart(), modifier.end);
  }

  private eraseToken(token: ts.Node | undefined): void {
    const { QuestionToken, ExclamationToken } = this.compiler.SyntaxKind;
    if (token?.kind === QuestionToken || token?.kind === ExclamationToken)
      this.edits.blank(token.getStart(), token.end);
  }

  /** From the bracket before a list of types to the one behind it. */
  private eraseList(node: ts.Node, list: ts.NodeArray<ts.Node> | undefined): void {
    if (!list) return;
    const { compiler, edits } = this;
    const end = edits.text.indexOf(">", list.end) + 1;
    const start = list.pos - 1;
    const isOdd = !/^[\s,]*>$/.test(edits.text.slice(list.end, end));
    // a line may not end between `async` and its parameters, nor behind `return`
    if (isOdd || (compiler.isArrowFunction(node) && edits.hasLines(start, node.parameters.pos)))
      edits.beyond();
    edits.blank(start, end);
  }

  private eraseAnnotation(node: ts.Node, type: ts.TypeNode): void {
    const { compiler, edits } = this;
    if (edits.text[type.pos - 1] !== ":") edits.beyond();
    if (compiler.isArrowFunction(node) && !this.isOneLine(node, type)) edits.beyond();
    edits.blank(type.pos - 1, type.end);
  }

  /** Whether no line ends from behind the parameters to the arrow, where none may. */
  private isOneLine({ parameters, equalsGreaterThanToken: arrow }: ts.ArrowFunction, type: ts.Node): boolean {
    const { text } = this.edits;
    const isNear = /^[\s,]*\)[^\S\n\r\u2028\u2029]*:$/.test(text.slice(parameters.end, type.pos));
    return isNear && !this.edits.hasLines(type.pos, arrow.pos);
  }

  private isThis({ name }: ts.ParameterDeclaration): boolean {
    return this.compiler.isIdentifier(name) && name.text === "this";
  }

  /** With the comma behind it. */
  private dropThis(node: ts.ParameterDeclaration): true {
    const { parameters } = node.parent;
    const next = parameters[1];
    if (!next && parameters.hasTrailingComma) this.edits.beyond();
    this.edits.blank(node.getStart(), next ? next.pos : node.end);
    return true;
  }

  /** A signature: an overload, or what a class leaves to those that extend it. */
  private isBodiless(node: ts.Node): boolean {
    const { compiler } = this;
    const isFunction =
      compiler.isFunctionDeclaration(node) ||
      compiler.isMethodDeclaration(node) ||
      compiler.isConstructorDeclaration(node) ||
      compiler.isAccessor(node);
    return isFunction && (node as Typed).body === undefined;
  }

  /** A field that a class only declares. */
  private isUnmade(node: ts.Node): boolean {
    const { DeclareKeyword, AbstractKeyword } = this.compiler.SyntaxKind;
    if (!this.compiler.isPropertyDeclaration(node)) return false;
    return (node.modifiers ?? []).some(({ kind }) => kind === DeclareKeyword || kind === AbstractKeyword);
  }
}
