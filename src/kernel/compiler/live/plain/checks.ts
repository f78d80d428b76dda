import type * as ts from "typescript";
import { bodyOf, firstCode, names } from "../../instrument";
import type { TypeScript } from "../../typescript";
import type { Edits } from "./edits";

/** As `instrument` makes it. */
const check = `typeof ${names.stop} === "object" && ${names.stop}[0] && ${names.halt}()`;
/** On a line of its own, as a debugger looks for it. */
const checkLine = `\n${check};\n`;

/**
 * Makes a loop or a function whose body a node is end when the kernel is interrupted, as `instrument` does: puts a check
 * in front of the body and returns what closes it.
 */
export function openBody(compiler: TypeScript, edits: Edits, node: ts.Node): string {
  const owner = bodyOf(compiler, node);
  if (owner === undefined) return "";
  if (compiler.isBlock(node)) {
    openBlock(compiler, edits, node);
    return "";
  }
  edits.insert(node.getStart(), owner === "loop" ? `{${checkLine}` : `(${check}, `);
  return owner === "loop" ? "}" : ")";
}

function openBlock(compiler: TypeScript, edits: Edits, { statements, end }: ts.Block): void {
  const first = firstCode(compiler, statements);
  if (!first && statements.length > 0) edits.beyond();
  edits.insert(first ? first.getStart() : end - 1, checkLine);
}
