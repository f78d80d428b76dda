import type * as ts from "typescript";
import type { TypeScript } from "./typescript";

/** Names under which a running cell finds what the kernel gives it. */
export const names = {
  stop: "__luvit_stop",
  halt: "__luvit_halt",
  load: "__luvit_import",
  define: "__luvit_define",
} as const;

/**
 * Makes a cell's loops and functions end when the kernel is interrupted, also where no signal reaches them (after an
 * `await`), and its `import()` a real one, which tslab turns into `require`. Functions still run where these names are
 * unknown, as in a browser that is sent their text.
 */
export function instrument(compiler: TypeScript): ts.TransformerFactory<ts.SourceFile> {
  const { factory, SyntaxKind } = compiler;
  return (context) => {
    const visit = (node: ts.Node): ts.Node => {
      const inner = withLoad(compiler.visitEachChild(node, visit, context));
      const owner = bodyOf(compiler, node);
      if (owner === undefined) return inner;
      const isStatement = owner === "loop" || compiler.isBlock(inner);
      return isStatement ? checkedBlock(compiler, inner as ts.Statement) : checkedValue(compiler, inner);
    };
    const withLoad = (node: ts.Node): ts.Node => {
      if (!compiler.isCallExpression(node) || node.expression.kind !== SyntaxKind.ImportKeyword) return node;
      const load = factory.createIdentifier(names.load);
      return factory.updateCallExpression(node, load, undefined, node.arguments);
    };
    return (file) => {
      setParents(file);
      return compiler.visitEachChild(file, visit, context);
    };
  };
}

/** What a node is the body of, where an interrupt has to be noticed. */
export function bodyOf(compiler: TypeScript, node: ts.Node): "loop" | "function" | undefined {
  const { parent } = node;
  if (compiler.isIterationStatement(parent, false)) return parent.statement === node ? "loop" : undefined;
  const isFunction = compiler.isFunctionLike(parent) && (parent as ts.FunctionLikeDeclaration).body === node;
  return isFunction ? "function" : undefined;
}

/** The first of the statements of a body that is no directive as "use strict" is. */
export function firstCode(
  compiler: TypeScript,
  statements: readonly ts.Statement[],
): ts.Statement | undefined {
  return statements.find(
    (one) => !compiler.isExpressionStatement(one) || !compiler.isStringLiteral(one.expression),
  );
}

function setParents(node: ts.Node): void {
  node.forEachChild((child) => {
    (child as { parent: ts.Node }).parent = node;
    setParents(child);
  });
}

/** `typeof stop === "object" && stop[0] && halt()`. */
function check(compiler: TypeScript): ts.Expression {
  const { factory } = compiler;
  const stop = () => factory.createIdentifier(names.stop);
  const known = factory.createStrictEquality(
    factory.createTypeOfExpression(stop()),
    factory.createStringLiteral("object"),
  );
  const halt = factory.createCallExpression(factory.createIdentifier(names.halt), undefined, []);
  const stopped = factory.createElementAccessExpression(stop(), 0);
  return factory.createLogicalAnd(factory.createLogicalAnd(known, stopped), halt);
}

function checkedBlock(compiler: TypeScript, body: ts.Statement): ts.Block {
  const statements = compiler.isBlock(body) ? [...body.statements] : [body];
  const first = firstCode(compiler, statements);
  const at = first ? statements.indexOf(first) : statements.length;
  statements.splice(at, 0, compiler.factory.createExpressionStatement(check(compiler)));
  return compiler.factory.createBlock(statements, true);
}

function checkedValue(compiler: TypeScript, body: ts.Node): ts.Expression {
  const { factory } = compiler;
  return factory.createParenthesizedExpression(factory.createComma(check(compiler), body as ts.Expression));
}

/**
 * Named imports become getters of `exports`, which later cells could not declare again: these are defined by a
 * function of the kernel instead.
 */
export function keepImportsWritable(compiler: TypeScript): ts.TransformerFactory<ts.SourceFile> {
  const { factory } = compiler;
  const definesExport = (node: ts.Node): node is ts.CallExpression =>
    compiler.isCallExpression(node) &&
    compiler.isPropertyAccessExpression(node.expression) &&
    node.expression.name.text === "defineProperty" &&
    node.arguments[0] !== undefined &&
    compiler.isIdentifier(node.arguments[0]) &&
    node.arguments[0].text === "exports";
  return () => (file) => {
    const statements = file.statements.map((statement) => {
      if (!compiler.isExpressionStatement(statement) || !definesExport(statement.expression))
        return statement;
      const define = factory.createIdentifier(names.define);
      return factory.createExpressionStatement(
        factory.createCallExpression(define, undefined, statement.expression.arguments),
      );
    });
    return factory.updateSourceFile(file, statements);
  };
}
