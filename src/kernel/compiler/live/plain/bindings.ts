import type * as ts from "typescript";
import { boundBy } from "../../declaredNames";
import type { TypeScript } from "../../typescript";
import type { Edits } from "./edits";
import { isTold } from "./types";

/** What is known about the names of a cell. */
export interface PlainNames {
  /** Names of earlier cells that it may use. */
  given: ReadonlySet<string>;
  /** What it declares, has a value and is not exported by itself. */
  exported: ReadonlySet<string>;
  /** What its own names stand for. */
  own: ReadonlyMap<ts.__String, ts.Symbol>;
  checker: ts.TypeChecker;
}

/** Where names can be: a node's parts by which it is called. */
interface Named extends ts.Node {
  name?: ts.Node;
  propertyName?: ts.Node;
  label?: ts.Node;
}

/** Keeps what a cell declares in `exports`, and finds there what earlier cells have declared. */
export class Bindings {
  constructor(
    private readonly compiler: TypeScript,
    private readonly edits: Edits,
    private readonly names: PlainNames,
  ) {}

  /** What comes before all code: functions are there from the start. */
  preamble(file: ts.SourceFile): string[] {
    const { compiler, names } = this;
    const functions = file.statements.flatMap((one) =>
      compiler.isFunctionDeclaration(one) && one.body && one.name ? [one.name.text] : [],
    );
    const held = [...new Set(functions)].filter((name) => names.exported.has(name));
    const others = [...names.exported].filter((name) => !held.includes(name)).reverse();
    return [
      ...others.map((name) => `exports.${name} = void 0;`),
      ...held.map((name) => `exports.${name} = ${name};`),
    ];
  }

  /** Has a statement of the cell followed by the values of what it declares. */
  keep(statement: ts.Statement): void {
    const { edits, names } = this;
    for (const name of this.declaredBy(statement)) {
      if (!names.exported.has(name.text)) continue;
      edits.insert(statement.end, ` exports.${name.text} = ${name.text};`, edits.nowhere);
    }
  }

  /** Names to which a statement gives values. */
  private declaredBy(statement: ts.Statement): ts.Identifier[] {
    const { compiler } = this;
    if (compiler.isClassDeclaration(statement)) return statement.name ? [statement.name] : [];
    if (!compiler.isVariableStatement(statement)) return [];
    const { declarations } = statement.declarationList;
    return declarations.flatMap((one) => (one.initializer ? boundBy(compiler, one.name) : []));
  }

  /** A name where it is used. */
  use(name: ts.Identifier): void {
    const { given, exported } = this.names;
    if (!this.isUse(name)) return;
    if (given.has(name.text)) this.useGiven(name);
    else if (exported.has(name.text) && this.isTarget(name)) this.edits.beyond();
  }

  /** Has a value that is given to a name of the cell given to `exports` too; returns what closes it. */
  assign(node: ts.Node): string {
    const { compiler, edits } = this;
    const target = this.assignedBy(node);
    if (!target || !this.names.exported.has(target.text)) return "";
    const symbol = this.names.checker.getSymbolAtLocation(target);
    if (!symbol) edits.beyond();
    if (symbol !== this.names.own.get(target.escapedText)) return "";
    const place = `exports.${target.text} = `;
    const isAfter = compiler.isPostfixUnaryExpression(node);
    if (isAfter && !this.isUnused(node)) edits.beyond();
    const [before, behind] = isAfter
      ? [`${place}(`, `, ${target.text})`]
      : compiler.isPrefixUnaryExpression(node)
        ? [`(${place}`, ")"]
        : [place, ""];
    edits.insert(node.getStart(), before);
    return behind;
  }

  private useGiven(name: ts.Identifier): void {
    const { compiler, edits } = this;
    const { checker } = this.names;
    const isShort = compiler.isShorthandPropertyAssignment(name.parent);
    const symbol = isShort
      ? checker.getShorthandAssignmentValueSymbol(name.parent)
      : checker.getSymbolAtLocation(name);
    if (!symbol) edits.beyond();
    const file = name.getSourceFile();
    if (symbol?.declarations?.some((one) => one.getSourceFile() === file)) return; // a name of a function or a block
    const place = `exports.${name.text}`;
    const text = isShort ? `${name.text}: ${place}` : this.isCalled(name) ? `(0, ${place})` : place;
    edits.replace(name.getStart(), name.end, text);
  }

  /** Whether it is a function that is called: not as a method of `exports`. */
  private isCalled(name: ts.Identifier): boolean {
    const { compiler } = this;
    const { parent } = name;
    if (compiler.isCallExpression(parent)) return parent.expression === name;
    return compiler.isTaggedTemplateExpression(parent) && parent.tag === name;
  }

  /** Whether a value is given to it in another way than `assign` knows. */
  private isTarget(name: ts.Identifier): boolean {
    const { compiler } = this;
    let at: ts.Node = name;
    while (this.isWrapping(at.parent) || this.isPattern(at.parent)) at = at.parent;
    const { parent } = at;
    if (compiler.isForInStatement(parent) || compiler.isForOfStatement(parent))
      return parent.initializer === at;
    if (
      at !== name &&
      (compiler.isPrefixUnaryExpression(parent) || compiler.isPostfixUnaryExpression(parent))
    )
      return changes(compiler, parent);
    return (
      at !== name &&
      compiler.isBinaryExpression(parent) &&
      isAssignment(compiler, parent) &&
      parent.left === at
    );
  }

  private isWrapping(node: ts.Node): boolean {
    return this.compiler.isParenthesizedExpression(node) || isTold(this.compiler, node);
  }

  private isPattern(node: ts.Node): boolean {
    const { compiler } = this;
    return (
      compiler.isArrayLiteralExpression(node) ||
      compiler.isObjectLiteralExpression(node) ||
      compiler.isPropertyAssignment(node) ||
      compiler.isShorthandPropertyAssignment(node) ||
      compiler.isSpreadElement(node) ||
      compiler.isSpreadAssignment(node) ||
      (compiler.isBinaryExpression(node) && isAssignment(compiler, node) && this.isPattern(node.parent))
    );
  }

  private assignedBy(node: ts.Node): ts.Identifier | undefined {
    const { compiler } = this;
    if (compiler.isBinaryExpression(node))
      return isAssignment(compiler, node) && compiler.isIdentifier(node.left) ? node.left : undefined;
    if (!compiler.isPrefixUnaryExpression(node) && !compiler.isPostfixUnaryExpression(node)) return undefined;
    return changes(compiler, node) && compiler.isIdentifier(node.operand) ? node.operand : undefined;
  }

  /** Whether nobody has the value of an expression. */
  private isUnused(node: ts.Node): boolean {
    const { compiler } = this;
    const { parent } = node;
    if (compiler.isForStatement(parent)) return parent.condition !== node;
    return compiler.isExpressionStatement(parent) && !isLast(parent);
  }

  /** Whether a name stands for a value, and is not what something is called. */
  private isUse(name: ts.Identifier): boolean {
    const { name: called, propertyName, label } = name.parent as Named;
    if (propertyName === name || label === name) return false;
    return called !== name || this.compiler.isShorthandPropertyAssignment(name.parent);
  }
}

function isLast(statement: ts.Statement): boolean {
  return statement.getSourceFile().statements.at(-1) === statement;
}

function isAssignment(compiler: TypeScript, { operatorToken: { kind } }: ts.BinaryExpression): boolean {
  const { FirstAssignment, LastAssignment } = compiler.SyntaxKind;
  return kind >= FirstAssignment && kind <= LastAssignment;
}

function changes(
  compiler: TypeScript,
  { operator }: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression,
): boolean {
  const { PlusPlusToken, MinusMinusToken } = compiler.SyntaxKind;
  return operator === PlusPlusToken || operator === MinusMinusToken;
}
