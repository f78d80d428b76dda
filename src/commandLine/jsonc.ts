import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { LuvitError, listOffenders } from "../core/errors";

/**
 * JSON with line and block comments and commas before closing brackets.
 * @throws LuvitError("bad-file") naming every mistake with line and column.
 */
export function parseJsonWithComments(name: string, text: string): unknown {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  if (errors.length === 0) return value;
  const lines = errors.map(({ error, offset }) => {
    const before = text.slice(0, offset).split(/\r\n|\n|\r/);
    return `line ${before.length}, column ${before.at(-1)!.length + 1}: ${sentence(printParseErrorCode(error))}`;
  });
  throw new LuvitError("bad-file", `${name}: not JSON\n${listOffenders(lines)}`);
}

/** `PropertyNameExpected` -> "property name expected". */
function sentence(code: string): string {
  return code.replace(/[A-Z]/g, (letter, at) => `${at === 0 ? "" : " "}${letter.toLowerCase()}`);
}
