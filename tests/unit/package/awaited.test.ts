import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { packageRoot } from "../../../src/core/packageRoot";

const root = packageRoot();

const { fileNames, options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
  ts.sys,
  root,
);
const program = ts.createProgram(fileNames, {
  ...options,
  noEmit: true,
  incremental: false,
  tsBuildInfoFile: undefined,
});
const checker = program.getTypeChecker();

function isPromise(node: ts.Expression): boolean {
  const type = checker.getTypeAtLocation(node);
  return (type.isUnion() ? type.types : [type]).some(
    (one) => one.getProperty("then") && one.getProperty("catch"),
  );
}

/** `p.catch(f)` and `p.then(f, g)` leave no failure behind; `Object.defineProperty` gives back what it was given. */
function isLookedAfter(node: ts.Expression): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { name, expression } = node.expression;
  if (name.text === "catch") return node.arguments.length === 1;
  if (name.text === "then") return node.arguments.length === 2;
  return expression.getText() === "Object";
}

/** A promise that nobody awaits, nor says with `void` that nobody has to. */
const isLeft = (node: ts.Node) =>
  ts.isExpressionStatement(node) &&
  !ts.isAwaitExpression(node.expression) &&
  !ts.isVoidExpression(node.expression) &&
  !isAssignment(node.expression) &&
  !isLookedAfter(node.expression) &&
  isPromise(node.expression);

const isAssignment = (node: ts.Expression) =>
  ts.isBinaryExpression(node) &&
  node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
  node.operatorToken.kind <= ts.SyntaxKind.LastAssignment;

/** A promise that leaves a `try` before it is known whether it fails. */
const leavesTry = (node: ts.Node) =>
  ts.isReturnStatement(node) &&
  node.expression !== undefined &&
  !ts.isAwaitExpression(node.expression) &&
  isPromise(node.expression);

function* promisesLeft(node: ts.Node, isTried: boolean): Generator<ts.Node> {
  if (isLeft(node) || (isTried && leavesTry(node))) yield node;
  if (ts.isTryStatement(node)) {
    yield* promisesLeft(node.tryBlock, true);
    if (node.catchClause) yield* promisesLeft(node.catchClause, isTried || node.finallyBlock !== undefined);
    if (node.finallyBlock) yield* promisesLeft(node.finallyBlock, isTried);
    return;
  }
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* promisesLeft(child, isTried && !ts.isFunctionLike(node));
}

test("every promise is awaited, given on, looked after, or let go of with `void`", () => {
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, "src")));
  assert.ok(fileNames.length > 1000 && own.length >= fileNames.length, `${own.length} files`);
  const left = own.flatMap((file) =>
    [...promisesLeft(file, false)].map((node) => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart());
      return `${relative(root, file.fileName)}:${line + 1}: ${node.getText()}`;
    }),
  );
  assert.deepEqual(left, []);
});
