import type * as ts from "typescript";
import type { CellLanguage, Completeness } from "../cellCompiler";
import type { TypeScript } from "../typescript";
import { isJsx } from "./program";

const unterminatedTemplate = 1160;
const unterminatedComment = 1010;
/** Findings "… expected." */
const expected = /expected\.$/;

/** Whether a text is a whole cell: what is missing at its very end may still be written. */
export function completeness(compiler: TypeScript, source: string, language: CellLanguage): Completeness {
  const end = language === "javascript" ? "js" : isJsx(source) ? "tsx" : "ts";
  const tree = compiler.createSourceFile(`cell.${end}`, source, compiler.ScriptTarget.ES2022);
  const { parseDiagnostics } = tree as unknown as { parseDiagnostics: readonly ts.Diagnostic[] };
  if (parseDiagnostics.length === 0) return { status: "complete" };
  if (parseDiagnostics.some(({ code }) => code === unterminatedTemplate || code === unterminatedComment))
    return { status: "incomplete", indent: "" };
  const [first] = parseDiagnostics;
  const text = source.trimEnd().length;
  const isOpen =
    first!.start! >= text && expected.test(compiler.flattenDiagnosticMessageText(first!.messageText, "\n"));
  const isLeft = /\n\s*\n\s*$/.test(source); // two empty lines say that nothing more comes
  if (!isOpen || isLeft) return { status: "invalid" };
  return { status: "incomplete", indent: indentAfter(source) };
}

/** How far in the next line begins. */
function indentAfter(source: string): string {
  const line = /[^\n]*$/.exec(source)![0];
  const [current] = /^\s*/.exec(line)!;
  const isOpening = /[{([]\s*$|=>\s*$/.test(line.replace(/\/\/.*$/, ""));
  return isOpening ? `${current}  ` : current;
}
