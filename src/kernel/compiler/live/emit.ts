import type * as ts from "typescript";
import { boundBy } from "../declaredNames";
import { instrument, keepImportsWritable } from "../instrument";
import { type Locate, lazyMap } from "../sourceMaps";
import type { TypeScript } from "../typescript";
import { emitOptions } from "./options";

/** Name of the export that holds the value of a cell's last expression. */
export const lastExpression = "tsLastExpr";

/** CommonJS, and where its places come from. */
export interface Emitted {
  code: string;
  locate: Locate;
  /** Whether the code ends with an expression, whose value it keeps. */
  hasLast: boolean;
}

/** What the emitter has to know about a cell. */
export interface CellNames {
  fileName: string;
  /** Names of earlier cells that it may use. */
  given: readonly string[];
  /** What it declares and does not export by itself. */
  exported: readonly string[];
}

/**
 * The code of a cell as the compiler makes it. All that cells declare is a property of `exports`, which is one object for the whole notebook:
 * the compiler turns every use of an exported variable into a use of its property, of an earlier cell's too.
 */
export function emitWhole(compiler: TypeScript, source: string, names: CellNames): Emitted {
  const { given, exported, fileName } = names;
  const added = [
    ...(exported.length > 0 ? [`export { ${exported.join(", ")} };`] : []),
    ...(given.length > 0 ? [`export let ${given.join(", ")};`] : []),
  ];
  let hasLast = false;
  const keepLast = keepLastExpression(compiler, added.length, () => {
    hasLast = true;
  });
  const text = `${source}\n${added.join("\n")}`;
  return { ...emit(compiler, text, fileName, [keepLast], new Set(given)), hasLast };
}

/** The code of a local file. */
export function emitFile(compiler: TypeScript, source: string, fileName: string): Omit<Emitted, "hasLast"> {
  return emit(compiler, source, fileName, [], new Set());
}

type Transformer = ts.TransformerFactory<ts.SourceFile>;

function emit(
  compiler: TypeScript,
  text: string,
  fileName: string,
  transformers: readonly Transformer[],
  given: ReadonlySet<string>,
): { code: string; locate: Locate } {
  const make = (sourceMap: boolean) =>
    compiler.transpileModule(text, {
      fileName,
      compilerOptions: { ...emitOptions(compiler), sourceMap },
      jsDocParsingMode: compiler.JSDocParsingMode.ParseNone,
      transformers: {
        before: [instrument(compiler), ...transformers],
        after: [keepImportsWritable(compiler), keepBlocksApart(compiler), withoutPreamble(compiler, given)],
      },
    });
  return { code: make(false).outputText, locate: lazyMap(() => make(true).sourceMapText!) };
}

/** Has a cell that ends with an expression, but for the statements added to it, keep its value. */
function keepLastExpression(compiler: TypeScript, added: number, found: () => void): Transformer {
  const { factory } = compiler;
  return () => (file) => {
    const statements = [...file.statements];
    let at = statements.length - 1 - added;
    while (at >= 0 && compiler.isExportDeclaration(statements[at]!)) at--;
    const last = statements[at];
    if (!last || !compiler.isExpressionStatement(last)) return file;
    const place = factory.createPropertyAccessExpression(factory.createIdentifier("exports"), lastExpression);
    const kept = factory.createExpressionStatement(factory.createAssignment(place, last.expression));
    statements[at] = compiler.setTextRange(kept, last);
    found();
    return factory.updateSourceFile(file, statements);
  };
}

/**
 * Takes out what the compiler puts first: `"use strict"`, which cells have never been, and `exports.name = void 0` for
 * variables of earlier cells.
 */
function withoutPreamble(compiler: TypeScript, given: ReadonlySet<string>): Transformer {
  const { factory } = compiler;
  return () => (file) => {
    const statements: ts.Statement[] = [];
    for (const [index, statement] of file.statements.entries()) {
      if (index === 0 && isUseStrict(compiler, statement)) continue;
      const names = clearedExports(compiler, statement);
      if (names.length === 0) statements.push(statement);
      for (const name of names.filter((one) => !given.has(one))) statements.push(clearExport(compiler, name));
    }
    return factory.updateSourceFile(file, statements);
  };
}

/** The compiler gives a block's variable to `exports` too where the cell has one of its name: that is taken out. */
function keepBlocksApart(compiler: TypeScript): Transformer {
  const { factory } = compiler;
  return (context) => {
    const visit = (node: ts.Node): ts.Node => {
      if (compiler.isExpressionStatement(node) || compiler.isVariableStatement(node)) return node;
      if (compiler.isFunctionLike(node) || compiler.isClassLike(node)) return node;
      const inner = compiler.visitEachChild(node, visit, context);
      const own = new Set(statementsOf(compiler, inner).flatMap((one) => namesOfBlock(compiler, one)));
      const isOwn = (one: ts.Statement) => own.has(exportedBy(compiler, one) ?? "");
      if (own.size === 0) return inner;
      if (compiler.isBlock(inner))
        return factory.updateBlock(
          inner,
          inner.statements.filter((one) => !isOwn(one)),
        );
      const { clauses } = inner as ts.CaseBlock;
      const parted = clauses.map((clause) => {
        const statements = clause.statements.filter((one) => !isOwn(one));
        return compiler.isCaseClause(clause)
          ? factory.updateCaseClause(clause, clause.expression, statements)
          : factory.updateDefaultClause(clause, statements);
      });
      return factory.updateCaseBlock(inner as ts.CaseBlock, parted);
    };
    return (file) => compiler.visitEachChild(file, visit, context);
  };
}

/** The statements of a block; a `switch` is one. */
function statementsOf(compiler: TypeScript, node: ts.Node): readonly ts.Statement[] {
  if (compiler.isBlock(node)) return node.statements;
  return compiler.isCaseBlock(node) ? node.clauses.flatMap(({ statements }) => [...statements]) : [];
}

/** Names that a statement declares for its block alone. */
function namesOfBlock(compiler: TypeScript, statement: ts.Statement): string[] {
  if (compiler.isClassDeclaration(statement)) return statement.name ? [statement.name.text] : [];
  if (!compiler.isVariableStatement(statement)) return [];
  const { declarations, flags } = statement.declarationList;
  if (!(flags & compiler.NodeFlags.BlockScoped)) return [];
  return declarations.flatMap(({ name }) => boundBy(compiler, name)).map(({ text }) => text);
}

/** The name in `exports.name = name;` as the compiler makes it. */
function exportedBy(compiler: TypeScript, statement: ts.Statement): string | undefined {
  if (!compiler.isExpressionStatement(statement)) return undefined;
  const { expression } = statement;
  if (expression.pos >= 0) return undefined;
  if (!compiler.isBinaryExpression(expression) || !compiler.isPropertyAccessExpression(expression.left))
    return undefined;
  const { left, right } = expression;
  return compiler.isIdentifier(right) && left.name.text === right.text ? right.text : undefined;
}

function isUseStrict(compiler: TypeScript, statement: ts.Statement): boolean {
  if (!compiler.isExpressionStatement(statement)) return false;
  const { expression } = statement;
  return compiler.isStringLiteral(expression) && expression.text === "use strict" && expression.pos < 0;
}

/** The names of `exports.a = exports.b = void 0;` as the compiler makes it. */
function clearedExports(compiler: TypeScript, statement: ts.Statement): string[] {
  if (!compiler.isExpressionStatement(statement) || statement.pos >= 0) return [];
  const names: string[] = [];
  let at: ts.Expression = statement.expression;
  while (compiler.isBinaryExpression(at) && compiler.isPropertyAccessExpression(at.left)) {
    names.push(at.left.name.text);
    at = at.right;
  }
  return compiler.isVoidExpression(at) ? names : [];
}

function clearExport(compiler: TypeScript, name: string): ts.Statement {
  const { factory } = compiler;
  const place = factory.createPropertyAccessExpression(factory.createIdentifier("exports"), name);
  return factory.createExpressionStatement(factory.createAssignment(place, factory.createVoidZero()));
}
