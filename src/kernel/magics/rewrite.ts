import type * as ts from "typescript";
import { LuvitError } from "../../core/errors";
import { nearest } from "../../core/options/nearest";
import type { Diagnostic } from "../compiler/cellCompiler";
import { type Edit, positionOf } from "../compiler/textEdits";
import type { TypeScript } from "../compiler/typescript";
import type { FoundMagic, ReadCell } from "./find";
import { magicOf, magics } from "./table";

/** Under this name cells call what their magics do. */
export const actionsName = "__luvit_magics";

/** The edits that make TypeScript of a cell with magics, each in its line, and what is wrong with them. */
export interface Rewritten {
  edits: Edit[];
  problems: Diagnostic[];
}

/** Turns magics into calls of `actionsName`. */
export function rewrite(compiler: TypeScript, source: string, cell: ReadCell): Rewritten {
  const rewritten: Rewritten = { edits: [], problems: [] };
  for (const magic of cell.found) {
    try {
      rewritten.edits.push(...editsOf(compiler, source, magic, cell.rest));
    } catch (error) {
      rewritten.problems.push(problem(source, magic, (error as Error).message));
      rewritten.edits.push({ at: magic.start, remove: magic.end - magic.start, insert: ";" });
    }
  }
  return rewritten;
}

function editsOf(compiler: TypeScript, source: string, magic: FoundMagic, rest: ts.SourceFile): Edit[] {
  const { sign, name, start, argument, end } = magic;
  const written = `${sign}${name}`;
  const text = lined(source.slice(argument, end));
  const call = (action: string, ...given: (string | undefined)[]): Edit[] => {
    const last = action === "shell" && name === "sh" ? source.length : end;
    const breaks = source.slice(start, last).split("\n").length - 1;
    const values = given.filter((one) => one !== undefined).map((one) => JSON.stringify(one));
    const awaits = action === "shell" ? "await " : "";
    const code = `;${awaits}${actionsName}.${action}(${values.join(", ")});`;
    return [{ at: start, remove: last - start, insert: code + "\n".repeat(breaks) }];
  };
  if (sign === "!") {
    if (text === "") refuse("expected a command behind !");
    return call("shell", text, magic.doubt);
  }
  if (sign === "%%" && source.slice(0, start).trim() !== "")
    refuse(`${written} is for a whole cell: it stands at the top of one`);
  const known = magicOf(written) ?? refuse(unknown(written));
  if (text === "?") return call("help", written);
  if (text !== "" && known.takes === "nothing") refuse(`${written} takes nothing, got ${text}`);
  if (written === "%%sh") {
    const commands = lined(source.slice(end));
    return call("shell", commands === "" ? refuse("expected commands below %%sh") : commands);
  }
  if (written === "%%time") return call("timeCell");
  if (written === "%time") return timed(compiler, source, magic, rest);
  if (written === "%env") return call("env", text);
  if (written === "%cd") return call("cd", text);
  return call("help", text === "" ? undefined : text);
}

/** What stands behind a magic, for a shell that knows one way to end a line. */
function lined(text: string): string {
  return text.replaceAll("\r\n", "\n").trim();
}

/** `%time` before an expression keeps its value; before other code it measures all that begins on the line. */
function timed(
  compiler: TypeScript,
  source: string,
  { start, argument, end }: FoundMagic,
  rest: ts.SourceFile,
): Edit[] {
  const inLine = rest.statements.filter((one) => {
    const from = one.getStart(rest);
    return from >= argument && from < end && one.end > from && source.slice(from, one.end) !== ";";
  });
  if (inLine.length === 0) refuse("expected code behind %time, on the same line");
  const [first, last] = [inLine[0]!, inLine.at(-1)!];
  const code = first.getStart(rest);
  const expression =
    inLine.length === 1 && compiler.isExpressionStatement(first) ? first.expression : undefined;
  const open = expression ? `;(${actionsName}.begin(), ${actionsName}.end((` : `;${actionsName}.begin();`;
  return [
    { at: start, remove: code - start, insert: open },
    { at: (expression ?? last).end, remove: 0, insert: expression ? ")));" : `;${actionsName}.end();` },
  ];
}

function unknown(written: string): string {
  const names = magics.map(({ name }) => name);
  if (names.includes(written.slice(1))) return `${written} is for one line: write ${written.slice(1)}`;
  if (names.includes(`%${written}`)) return `${written} is for a whole cell: write %${written} at its top`;
  const close = nearest(written, names);
  const meant = close === undefined ? "" : `; the nearest is ${close}`;
  return `no magic is called ${written}${meant} (%lsmagic lists them)`;
}

function refuse(why: string): never {
  throw new LuvitError("bad-argument", why);
}

function problem(source: string, { start, argument }: FoundMagic, messageText: string): Diagnostic {
  return { start: positionOf(source, start), end: positionOf(source, argument), messageText, code: 0 };
}
