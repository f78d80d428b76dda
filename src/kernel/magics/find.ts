import type * as ts from "typescript";
import { isJsx } from "../compiler/live/program";
import type { TypeScript } from "../compiler/typescript";

/** A line, or several that backslashes join, that is no TypeScript; offsets in UTF-16 units. */
export interface FoundMagic {
  sign: "!" | "%" | "%%";
  start: number;
  /** The name without its sign; empty after `!`. */
  name: string;
  /** Where what follows the name begins, and the line ends. */
  argument: number;
  end: number;
  /** Why it is a command although it could be TypeScript, or could nearly. */
  doubt?: string;
}

/** The magics of a cell, and the cell without them: spaces stand in their places, but for the code of `%time`. */
export interface ReadCell {
  found: FoundMagic[];
  rest: ts.SourceFile;
  /** Lines that look like magics and are not. */
  left: LeftLine[];
}

/** A line that is read as TypeScript: within braces, or because it goes on with the expression above it. */
export interface LeftLine {
  sign: FoundMagic["sign"];
  start: number;
  end: number;
  within: boolean;
}

interface Parsed extends ts.SourceFile {
  parseDiagnostics: readonly ts.DiagnosticWithLocation[];
}

/** Whether a cell may have magics. */
export function mayHaveMagics(source: string): boolean {
  return /^[ \t]*[!%]/m.test(source);
}

/** Words that are part of the language behind `!`. */
const words =
  /^(?:async|await|class|delete|false|function|import|new|null|super|this|true|typeof|undefined|void|yield)$/;

/**
 * Tells magics from TypeScript by syntax. A line that begins with `!` or `%` is a magic where all above it is whole and
 * the line as TypeScript is not; `!name…` is one also where it would be TypeScript and nothing is called so.
 */
export function findMagics(
  compiler: TypeScript,
  source: string,
  isKnown: (name: string) => boolean,
): ReadCell {
  const ending = isJsx(source) ? "tsx" : "ts";
  const parse = (text: string) =>
    compiler.createSourceFile(`cell.${ending}`, text, compiler.ScriptTarget.ES2022, true) as Parsed;
  const found: FoundMagic[] = [];
  const top = /^\s*%%([\w-]*)/.exec(source) ? lines(source)[0] : undefined;
  if (top) found.push(top);
  if (top?.name === "sh") return { found, rest: parse(""), left: [] };
  let text = top ? masked(source, top) : source;
  const left: FoundMagic[] = [];
  let open = lines(source).filter((one) => one !== top && one.start >= (top?.end ?? 0));
  let rest = parse(text);
  while (open.length > 0) {
    const error = rest.parseDiagnostics[0]?.start ?? Number.POSITIVE_INFINITY;
    const at = open.findIndex((one) => isMagic(one, error));
    if (at < 0) break;
    left.push(...open.slice(0, at));
    found.push(open[at]!);
    text = masked(text, open[at]!);
    open = open.slice(at + 1);
    rest = parse(text);
  }
  const lineOf = ({ sign, start, end }: FoundMagic): LeftLine => {
    return { sign, start, end, within: isWithinBraces(compiler, rest, start) };
  };
  return { found, rest, left: [...left, ...open].map(lineOf) };

  function isMagic(one: FoundMagic, error: number): boolean {
    if (error < one.start) return false;
    const isBroken = error <= one.end;
    const isStatement = rest.statements.some((statement) => statement.getStart(rest) === one.start);
    const named = nameAfter(source, one);
    const isKnownName = named !== undefined && (isKnown(named) || declares(compiler, rest, named));
    if (isBroken && isKnownName) one.doubt = "as TypeScript it has an error of syntax";
    if (isBroken) return parse(text.slice(0, one.start)).parseDiagnostics.length === 0;
    if (!isStatement || named === undefined || isKnownName) return false;
    one.doubt = `nothing is called ${named}`;
    return true;
  }
}

/** The name that an expression behind `!` begins with. */
function nameAfter(source: string, { sign, start }: FoundMagic): string | undefined {
  if (sign !== "!") return undefined;
  const [, name] = /^!\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)/u.exec(source.slice(start)) ?? [];
  return name === undefined || words.test(name) ? undefined : name;
}

/** Lines that begin with a sign. */
function lines(source: string): FoundMagic[] {
  const found: FoundMagic[] = [];
  for (const match of source.matchAll(/^([ \t]*)(!|%%?)(?:[^\n]*\\\r?\n)*[^\n]*$/gm)) {
    const sign = match[2] as FoundMagic["sign"];
    const start = match.index + match[1]!.length;
    const end = match.index + match[0].length;
    const one = { sign, start, name: "", argument: start + sign.length, end };
    if (sign !== "!") {
      const [name] = /^[^\s?]*/.exec(source.slice(one.argument, end))!;
      Object.assign(one, { name, argument: one.argument + name.length });
    }
    found.push(one);
  }
  return found;
}

/** Whether a place is in a block. */
function isWithinBraces(compiler: TypeScript, file: ts.SourceFile, at: number): boolean {
  const holds = (node: ts.Node): boolean =>
    compiler.isBlock(node) || compiler.isModuleBlock(node) || compiler.isCaseBlock(node);
  const look = (node: ts.Node): boolean =>
    node.pos <= at && at < node.end && (holds(node) || compiler.forEachChild(node, look) === true);
  return compiler.forEachChild(file, look) === true;
}

/** A text in which spaces stand for a magic; the code behind `%time` stays. */
function masked(text: string, { sign, name, start, argument, end }: FoundMagic): string {
  const until = sign === "%" && name === "time" ? argument : end;
  const blank = text.slice(start + 1, until).replace(/[^\n]/g, " ");
  return `${text.slice(0, start)};${blank}${text.slice(until)}`;
}

/** Whether a cell declares a name at its top. */
function declares(compiler: TypeScript, file: ts.SourceFile, name: string): boolean {
  const { bindSourceFile } = compiler as unknown as {
    bindSourceFile(file: ts.SourceFile, options: ts.CompilerOptions): void;
  };
  const bound = file as Parsed & { locals?: Map<string, unknown> };
  if (!bound.locals) bindSourceFile(file, { target: compiler.ScriptTarget.ES2022 });
  return bound.locals?.has(name) === true;
}
