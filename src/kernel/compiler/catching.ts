import type * as ts from "typescript";
import type { TypeScript } from "./typescript";

/** Whether a place in a text, its line and column counted from 1, is within a `try` that has a `catch`. */
export function isCaught(compiler: TypeScript, text: string, line: number, column: number): boolean {
  const file = compiler.createSourceFile("cell.ts", text, compiler.ScriptTarget.ES2022, true);
  const lines = file.getLineStarts();
  const offset = (lines[line - 1] ?? text.length) + column - 1;
  let caught = false;
  const visit = (node: ts.Node): void => {
    if (offset < node.pos || offset >= node.end) return;
    if (compiler.isFunctionLike(node)) caught = false; // what is around a function need not be around its calls
    if (compiler.isTryStatement(node) && node.catchClause && isWithin(offset, node.tryBlock)) caught = true;
    node.forEachChild(visit);
  };
  visit(file);
  return caught;
}

function isWithin(offset: number, { pos, end }: ts.Node): boolean {
  return offset >= pos && offset < end;
}
