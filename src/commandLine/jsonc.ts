import { createScanner, type ParseError, parse, printParseErrorCode, SyntaxKind } from "jsonc-parser";
import { LuvitError, listOffenders } from "../core/errors";

/** Deepest nesting that is read; the parser calls itself once for each. */
const MOST_DEPTH = 100;

/**
 * JSON with line and block comments and commas before closing brackets.
 * @throws LuvitError("bad-file") naming every mistake with line and column.
 */
export function parseJsonWithComments(name: string, marked: string): unknown {
  const text = marked.replace(/^\ufeff/, ""); // some editors begin with a byte-order mark
  const tooDeep = firstTooDeep(text);
  if (tooDeep !== undefined) {
    throw new LuvitError(
      "bad-file",
      `${name}: ${placeOf(text, tooDeep)}: nested more than ${MOST_DEPTH} deep`,
    );
  }
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  if (errors.length === 0) return value;
  const lines = errors.map(
    ({ error, offset }) => `${placeOf(text, offset)}: ${sentence(printParseErrorCode(error))}`,
  );
  throw new LuvitError("bad-file", `${name}: not JSON\n${listOffenders(lines)}`);
}

/** Where brackets are opened inside too many others. */
function firstTooDeep(text: string): number | undefined {
  const scanner = createScanner(text);
  const opening = [SyntaxKind.OpenBraceToken, SyntaxKind.OpenBracketToken];
  const closing = [SyntaxKind.CloseBraceToken, SyntaxKind.CloseBracketToken];
  let depth = 0;
  for (let token = scanner.scan(); token !== SyntaxKind.EOF; token = scanner.scan()) {
    if (opening.includes(token) && ++depth > MOST_DEPTH) return scanner.getTokenOffset();
    if (closing.includes(token)) depth--;
  }
  return undefined;
}

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/);
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

/** `PropertyNameExpected` -> "property name expected". */
function sentence(code: string): string {
  return code.replace(/[A-Z]/g, (letter, at) => `${at === 0 ? "" : " "}${letter.toLowerCase()}`);
}
