import type * as ts from "typescript";
import type { TypeScript } from "../typescript";
import { type CellNames, type Emitted, emitWhole, lastExpression } from "./emit";
import { plainCell } from "./plain/plainCell";

/**
 * The code of a checked cell. Most cells become JavaScript by changes of their text: 1.2 ms for one of a few lines where
 * the compiler, which parses it again, transforms and prints it, takes 3.9, and 0.85 s with the check for 5,000 lines
 * where it takes 1.4. What those changes cannot do is left to the compiler.
 */
export function emitCell(
  compiler: TypeScript,
  file: ts.SourceFile,
  cellNames: CellNames,
  own: ReadonlyMap<ts.__String, ts.Symbol>,
  checker: ts.TypeChecker,
): Emitted {
  const names = { given: new Set(cellNames.given), exported: new Set(cellNames.exported), own, checker };
  const plain = plainCell(compiler, file, names, lastExpression);
  if (!plain) return emitWhole(compiler, file.text, cellNames);
  const { text, hasLast } = plain;
  return { code: text.text, locate: (line, column) => text.locate({ line, column }), hasLast };
}
