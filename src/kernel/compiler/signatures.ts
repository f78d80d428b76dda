import type * as ts from "typescript";
import type { TypeScript } from "./typescript";

/** What the compiler has beside its published interface. */
interface Internals {
  SignatureHelp: {
    getSignatureHelpItems(
      program: Pick<ts.Program, "getTypeChecker" | "getSourceFiles">,
      file: ts.SourceFile,
      position: number,
      reason: ts.SignatureHelpTriggerReason,
      cancellation: ts.CancellationToken,
    ): ts.SignatureHelpItems | undefined;
  };
  findTokenOnLeftOfPosition(file: ts.SourceFile, position: number): ts.Node | undefined;
}

/** Most signatures of one function that are shown. */
const mostSignatures = 5;

/** The function between whose call's brackets a place is; `found` hears of the call before its comments are read. */
export function signatureInfo(
  compiler: TypeScript,
  program: Pick<ts.Program, "getTypeChecker" | "getSourceFiles">,
  file: ts.SourceFile,
  position: number,
  cancellation: ts.CancellationToken,
  found?: (call: ts.CallExpression | ts.NewExpression) => void,
): ts.QuickInfo | undefined {
  const { SignatureHelp, findTokenOnLeftOfPosition } = compiler as unknown as Internals;
  if (found) {
    const token = findTokenOnLeftOfPosition(file, position);
    const call = token && compiler.findAncestor(token, (one) => isCall(compiler, one, token));
    if (call) found(call as ts.CallExpression);
  }
  const help = SignatureHelp.getSignatureHelpItems(
    program,
    file,
    position,
    { kind: "invoked" },
    cancellation,
  );
  return help && signatures(compiler, help);
}

/** Whether a token is among the arguments of a call, not in the name of what is called. */
function isCall(compiler: TypeScript, node: ts.Node, token: ts.Node): boolean {
  return (
    (compiler.isCallExpression(node) || compiler.isNewExpression(node)) && token.pos >= node.expression.end
  );
}

/** The signatures as quick info, the fitting one first. */
function signatures(compiler: TypeScript, help: ts.SignatureHelpItems): ts.QuickInfo {
  const { items, selectedItemIndex, applicableSpan } = help;
  const chosen = items[selectedItemIndex] ?? items[0]!;
  const others = items.filter((item) => item !== chosen);
  const shown = [chosen, ...others.slice(0, mostSignatures - 1)].map(signatureText);
  if (items.length > mostSignatures) shown.push(`… and ${items.length - mostSignatures} more`);
  return {
    kind: compiler.ScriptElementKind.functionElement,
    kindModifiers: "",
    textSpan: { ...applicableSpan },
    displayParts: [{ text: shown.join("\n"), kind: "text" }],
    documentation: chosen.documentation,
    tags: [...chosen.tags],
  };
}

function signatureText(item: ts.SignatureHelpItem): string {
  const text = (parts: readonly ts.SymbolDisplayPart[]) => parts.map((part) => part.text).join("");
  const parameters = item.parameters.map(({ displayParts }) => text(displayParts));
  return (
    text(item.prefixDisplayParts) +
    parameters.join(text(item.separatorDisplayParts)) +
    text(item.suffixDisplayParts)
  );
}
