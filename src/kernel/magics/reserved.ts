import type * as ts from "typescript";
import type { Diagnostic } from "../compiler/cellCompiler";
import { positionOf } from "../compiler/textEdits";
import type { TypeScript } from "../compiler/typescript";

const prefix = "__luvit_";

/** What the kernel objects to: a cell that uses or declares names by which compiled cells reach the kernel. */
export function reservedNames(compiler: TypeScript, source: string, file: ts.SourceFile): Diagnostic[] {
  const problems: Diagnostic[] = [];
  const visit = (node: ts.Node): void => {
    if (compiler.isIdentifier(node) && node.text.startsWith(prefix)) {
      const place = { start: positionOf(source, node.getStart(file)), end: positionOf(source, node.end) };
      const messageText = `${node.text}: names that begin with ${prefix} are the kernel's own`;
      problems.push({ ...place, messageText, code: 0 });
    }
    compiler.forEachChild(node, visit);
  };
  if (source.includes(prefix)) visit(file);
  return problems;
}
