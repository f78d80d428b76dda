import type * as ts from "typescript";
import type { TypeScript } from "../typescript";

/** What the text of a cell says without its types. */
export interface CellSyntax {
  /** Whether it awaits outside functions. */
  awaits: boolean;
  /** Modules imported by statements. */
  imports: string[];
  /** All modules that it names. */
  specifiers: string[];
  /** Whether it adds to the declarations of others: `declare global`, `declare module "x"`. */
  augments: boolean;
}

/** Reads a parsed cell. */
export function cellSyntax(compiler: TypeScript, file: ts.SourceFile): CellSyntax {
  const found: CellSyntax = { awaits: false, imports: [], specifiers: [], augments: false };
  const specifiers = new Set<string>();
  for (const statement of file.statements) {
    if (compiler.isModuleDeclaration(statement) && isAugmentation(compiler, statement)) found.augments = true;
    if (compiler.isImportDeclaration(statement) && compiler.isStringLiteral(statement.moduleSpecifier))
      found.imports.push(statement.moduleSpecifier.text);
  }
  const visit = (node: ts.Node, inFunction: boolean): void => {
    if (!inFunction && isAwaiting(compiler, node)) found.awaits = true;
    const literal = specifierOf(compiler, node);
    if (literal) specifiers.add(literal.text);
    const inside = inFunction || compiler.isFunctionLike(node) || isFieldValue(compiler, node);
    compiler.forEachChild(node, (child) => visit(child, inside));
  };
  visit(file, false);
  found.specifiers = [...specifiers];
  return found;
}

function isAugmentation(compiler: TypeScript, { name, flags }: ts.ModuleDeclaration): boolean {
  return compiler.isStringLiteral(name) || (flags & compiler.NodeFlags.GlobalAugmentation) !== 0;
}

function isAwaiting(compiler: TypeScript, node: ts.Node): boolean {
  return (
    compiler.isAwaitExpression(node) ||
    (compiler.isForOfStatement(node) && node.awaitModifier !== undefined) ||
    (compiler.isVariableDeclarationList(node) && (node.flags & awaitUsing) === awaitUsing)
  );
}

/** `NodeFlags.AwaitUsing`. */
const awaitUsing = 6;

/** A class's field and static block are functions of their own. */
function isFieldValue(compiler: TypeScript, node: ts.Node): boolean {
  return compiler.isPropertyDeclaration(node) || compiler.isClassStaticBlockDeclaration(node);
}

/** The text that names a node's module: import and export statements, `import()`, `require()`, `import("x").Type`. */
export function specifierOf(compiler: TypeScript, node: ts.Node): ts.StringLiteralLike | undefined {
  const text = (literal: ts.Node | undefined) =>
    literal && compiler.isStringLiteralLike(literal) ? literal : undefined;
  if (compiler.isImportDeclaration(node) || compiler.isExportDeclaration(node))
    return text(node.moduleSpecifier);
  if (compiler.isExternalModuleReference(node)) return text(node.expression);
  if (compiler.isImportTypeNode(node))
    return compiler.isLiteralTypeNode(node.argument) ? text(node.argument.literal) : undefined;
  if (!compiler.isCallExpression(node)) return undefined;
  const { expression } = node;
  const isRequire = compiler.isIdentifier(expression) && expression.text === "require";
  if (expression.kind !== compiler.SyntaxKind.ImportKeyword && !isRequire) return undefined;
  return text(node.arguments[0]);
}
