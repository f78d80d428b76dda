import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { neverCancelled } from "./completion";
import type { LiveProgram } from "./program";

/** What the compiler has beside its published interface. */
interface Internals {
  codefix: {
    getFixes(context: object): readonly { changes: readonly ts.FileTextChanges[] }[];
  };
  formatting: { getFormatContext(settings: ts.FormatCodeSettings, host: unknown): object };
  getTokenAtPosition(file: ts.SourceFile, position: number): ts.Node;
}

/** "Did you forget to use 'await'?", and that a name is unknown. */
const forgottenAwait = 2773;
const unknownName = new Set([2304, 2552]);

/** What would mend a finding, in a line: an `await`, or an import of what the name is found in. */
export function fixOf(compiler: TypeScript, live: LiveProgram, finding: ts.Diagnostic): string | undefined {
  const { file, code, relatedInformation = [] } = finding;
  if (!file) return undefined;
  if (relatedInformation.some((one) => one.code === forgottenAwait)) {
    const better = awaited(compiler, finding, file);
    return better && `a promise stands where its value is wanted: ${better}`;
  }
  if (!unknownName.has(code)) return undefined;
  try {
    const found = importOf(compiler, live, finding, file);
    return found && `the name is known elsewhere: ${found}`;
  } catch {
    return undefined; // a fix that cannot be found takes nothing from what was found
  }
}

function awaited(
  compiler: TypeScript,
  { start = 0, length = 0 }: ts.Diagnostic,
  file: ts.SourceFile,
): string {
  const token = (compiler as unknown as Internals).getTokenAtPosition(file, start);
  const { parent } = token;
  if (compiler.isPropertyAccessExpression(parent) && parent.name === token)
    return inLine(`\`(await ${parent.expression.getText(file)}).${token.getText(file)}\``);
  const text = file.text.slice(start, start + length);
  const node = compiler.findAncestor(
    token,
    (one) => one.getStart(file) === start && one.end === start + length,
  );
  if (node && (compiler.isCallExpression(node) || compiler.isIdentifier(node)))
    return inLine(`\`await ${text}\``);
  return "`await` is missing in front of it";
}

/** Long code is not repeated. */
function inLine(code: string): string {
  return code.length > 80 || code.includes("\n") ? "`await` is missing in front of it" : `write ${code}`;
}

/** The statement that imports a name, of Node's modules under their own scheme. */
function importOf(
  compiler: TypeScript,
  live: LiveProgram,
  { code, start = 0, length = 0 }: ts.Diagnostic,
  sourceFile: ts.SourceFile,
): string | undefined {
  const { codefix, formatting } = compiler as unknown as Internals;
  const fixes = codefix.getFixes({
    errorCode: code,
    sourceFile,
    span: { start, length },
    program: live.current,
    host: live.host,
    cancellationToken: neverCancelled,
    formatContext: formatting.getFormatContext(compiler.getDefaultFormatCodeSettings("\n"), live.host),
    preferences: {},
  });
  const texts = fixes.flatMap(({ changes }) =>
    changes.flatMap(({ textChanges }) => textChanges.map(({ newText }) => newText.trim())),
  );
  const statements = texts.filter((text) => /^import [^\n]* from "[^"]+";$/.test(text));
  const nodes = statements.filter((text) => text.includes('"node:'));
  return [...nodes, ...statements][0];
}
