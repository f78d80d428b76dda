import type * as ts from "typescript";
import type { Diagnostic } from "../compiler/cellCompiler";
import { specifierOf } from "../compiler/live/cellSyntax";
import { type Edit, positionOf } from "../compiler/textEdits";
import type { TypeScript } from "../compiler/typescript";
import { isNpmSpecifier, resolveNpm } from "./npmSpecifiers";

/** The edits that give the `npm:` specifiers of a cell the names that Node knows, and those that cannot have one. */
export function npmEdits(
  compiler: TypeScript,
  source: string,
  file: ts.SourceFile,
): { edits: Edit[]; problems: Diagnostic[] } {
  const edits: Edit[] = [];
  const problems: Diagnostic[] = [];
  const visit = (node: ts.Node): void => {
    const literal = specifierOf(compiler, node);
    if (literal && isNpmSpecifier(literal.text)) {
      const start = literal.getStart(file);
      const found = resolveNpm(literal.text, process.cwd());
      const insert = JSON.stringify("module" in found ? found.module : literal.text.slice("npm:".length));
      edits.push({ at: start, remove: literal.end - start, insert });
      if ("problem" in found) {
        const place = { start: positionOf(source, start), end: positionOf(source, literal.end) };
        problems.push({ ...place, messageText: found.problem, code: 0 });
      }
    }
    compiler.forEachChild(node, visit);
  };
  visit(file);
  return { edits, problems };
}
