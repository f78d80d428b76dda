import type * as ts from "typescript";

type QuickInfo = (
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  cancellation: ts.CancellationToken,
  position: number,
) => ts.QuickInfo | undefined;

/** What the compiler has beside its published interface. */
interface Internal {
  getQuickInfoAtPosition: QuickInfo;
  SignatureHelp: {
    getSignatureHelpItems(
      program: Pick<ts.Program, "getTypeChecker" | "getSourceFiles">,
      file: ts.SourceFile,
      position: number,
      reason: ts.SignatureHelpTriggerReason,
      cancellation: ts.CancellationToken,
    ): ts.SignatureHelpItems | undefined;
  };
}

/** Most signatures of one function that are shown. */
const mostSignatures = 5;

/** The compiler's quick info about the name at a place; between a call's brackets, about the function that is called. */
export function quickInfo(compiler: typeof ts): QuickInfo {
  const { getQuickInfoAtPosition, SignatureHelp } = compiler as unknown as Internal;
  return (file, checker, cancellation, position) => {
    const info = getQuickInfoAtPosition(file, checker, cancellation, position);
    if (info) return info;
    const program = { getTypeChecker: () => checker, getSourceFiles: () => [file] };
    const help = SignatureHelp.getSignatureHelpItems(
      program,
      file,
      position,
      { kind: "invoked" },
      cancellation,
    );
    return help && signatures(compiler, help);
  };
}

/** The signatures as quick info, the fitting one first. */
function signatures(compiler: typeof ts, help: ts.SignatureHelpItems): ts.QuickInfo {
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
