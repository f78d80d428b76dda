import type * as ts from "typescript";
import type { TypeScript } from "./tslab";

/** Names under which a running cell finds what the kernel gives it. */
export const names = {
  stop: "__luvit_stop",
  halt: "__luvit_halt",
  load: "__luvit_import",
  define: "__luvit_define",
} as const;

/**
 * Makes a cell's loops end when the kernel is interrupted, also where no signal reaches them (after an `await`), and
 * its `import()` a real one, which tslab turns into `require`.
 */
export function instrument(compiler: TypeScript): ts.TransformerFactory<ts.SourceFile> {
  const { factory } = compiler;
  const check = () =>
    factory.createIfStatement(
      factory.createElementAccessExpression(factory.createIdentifier(names.stop), 0),
      factory.createExpressionStatement(
        factory.createCallExpression(factory.createIdentifier(names.halt), undefined, []),
      ),
    );
  const checked = (body: ts.Statement) =>
    factory.createBlock([check(), ...(compiler.isBlock(body) ? body.statements : [body])], true);
  return (context) => {
    const visit = (node: ts.Node): ts.Node => {
      const inner = compiler.visitEachChild(node, visit, context);
      if (compiler.isForStatement(inner)) {
        const { initializer, condition, incrementor, statement } = inner;
        return factory.updateForStatement(inner, initializer, condition, incrementor, checked(statement));
      }
      if (compiler.isForInStatement(inner))
        return factory.updateForInStatement(
          inner,
          inner.initializer,
          inner.expression,
          checked(inner.statement),
        );
      if (compiler.isForOfStatement(inner)) {
        const { awaitModifier, initializer, expression, statement } = inner;
        return factory.updateForOfStatement(
          inner,
          awaitModifier,
          initializer,
          expression,
          checked(statement),
        );
      }
      if (compiler.isWhileStatement(inner))
        return factory.updateWhileStatement(inner, inner.expression, checked(inner.statement));
      if (compiler.isDoStatement(inner))
        return factory.updateDoStatement(inner, checked(inner.statement), inner.expression);
      if (compiler.isCallExpression(inner) && inner.expression.kind === compiler.SyntaxKind.ImportKeyword)
        return factory.updateCallExpression(
          inner,
          factory.createIdentifier(names.load),
          undefined,
          inner.arguments,
        );
      return inner;
    };
    return (file) => compiler.visitEachChild(file, visit, context);
  };
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
