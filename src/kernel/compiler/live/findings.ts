import { relative } from "node:path";
import type * as ts from "typescript";
import type { Diagnostic, Position } from "../cellCompiler";
import type { TypeScript } from "../typescript";

/** Findings whose mending is looked for. */
const mostFixes = 5;

/** The compiler's findings, each message of a chain a finding of its own; those of other files name them. */
export function findingsOf(
  compiler: TypeScript,
  diagnostics: readonly ts.Diagnostic[],
  cell: ts.SourceFile | undefined,
  folder: string,
  fixOf?: (finding: ts.Diagnostic) => string | undefined,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [index, diagnostic] of diagnostics.entries()) {
    const { file, start = 0, length = 0, messageText, code } = diagnostic;
    if (!file) continue;
    const at = (offset: number): Position => ({
      offset,
      ...compiler.getLineAndCharacterOfPosition(file, offset),
    });
    const place = { start: at(start), end: at(start + length) };
    const where = file === cell ? {} : { fileName: relative(folder, file.fileName) };
    const first = found.length;
    const add = (message: string | ts.DiagnosticMessageChain): void => {
      if (typeof message === "string") found.push({ ...place, ...where, messageText: message, code });
      else {
        found.push({ ...place, ...where, messageText: message.messageText, code: message.code });
        for (const detail of message.next ?? []) add(detail);
      }
    };
    add(messageText);
    const fix = file === cell && index < mostFixes ? fixOf?.(diagnostic) : undefined;
    if (fix !== undefined) found[first]!.fix = fix;
  }
  return found;
}
