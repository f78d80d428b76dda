import type * as ts from "typescript";
import { signatureInfo } from "../signatures";

type QuickInfo = (
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  cancellation: ts.CancellationToken,
  position: number,
) => ts.QuickInfo | undefined;

/** The compiler's quick info about the name at a place; between a call's brackets, about the function that is called. */
export function quickInfo(compiler: typeof ts): QuickInfo {
  const { getQuickInfoAtPosition } = compiler as unknown as { getQuickInfoAtPosition: QuickInfo };
  return (file, checker, cancellation, position) => {
    const info = getQuickInfoAtPosition(file, checker, cancellation, position);
    if (info) return info;
    const program = { getTypeChecker: () => checker, getSourceFiles: () => [file] };
    return signatureInfo(compiler, program, file, position, cancellation);
  };
}
