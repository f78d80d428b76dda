import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { emitOptions } from "./options";

/**
 * The JavaScript of a piece of TypeScript to be evaluated where a script is stopped, or between cells. Uses of `given`
 * become uses of properties of what the expression `exports` gives. Its completion value is the piece's.
 *
 * @throws SyntaxError where it cannot be read.
 */
export function emitEvaluation(
  compiler: TypeScript,
  source: string,
  given: readonly string[],
  exports: string,
): string {
  const text = isObject(compiler, source) ? `(${source})` : source;
  const added = given.length > 0 ? `export let ${given.join(", ")};` : "";
  const { outputText, diagnostics = [] } = compiler.transpileModule(`${text}\n${added}`, {
    fileName: "evaluated.ts",
    reportDiagnostics: true,
    compilerOptions: { ...emitOptions(compiler), removeComments: true },
    transformers: { after: [writtenOnly(compiler)] },
  });
  const [wrong] = diagnostics;
  if (wrong) throw new SyntaxError(compiler.flattenDiagnosticMessageText(wrong.messageText, " "));
  return `{ const exports = ${exports};\n${outputText}}`;
}

/** Whether a text is an object rather than a block. */
function isObject(compiler: TypeScript, source: string): boolean {
  if (!/^\s*\{/.test(source)) return false;
  const file = compiler.createSourceFile("evaluated.ts", `(${source})`, compiler.ScriptTarget.ES2022);
  const { parseDiagnostics = [] } = file as unknown as { parseDiagnostics?: unknown[] };
  return parseDiagnostics.length === 0;
}

/** Leaves out what the compiler has put before the piece. */
function writtenOnly(compiler: TypeScript): ts.TransformerFactory<ts.SourceFile> {
  return () => (file) =>
    compiler.factory.updateSourceFile(
      file,
      file.statements.filter(({ pos }) => pos >= 0),
    );
}
