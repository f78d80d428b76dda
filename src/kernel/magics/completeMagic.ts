import type { Completion } from "../compiler/cellCompiler";
import { namesFrom } from "../compiler/paths";
import type { FoundMagic } from "./find";
import { magicOf, magics } from "./table";

/** Candidates within a magic; undefined where they are those of TypeScript. */
export function completeMagic(source: string, offset: number, magic: FoundMagic): Completion | undefined {
  const { sign, name, start, argument } = magic;
  if (sign !== "!" && offset <= argument)
    return candidates(start, argument, source.slice(start, offset), magicNames(source, start));
  const before = source.slice(argument, offset);
  const takes = name === "sh" ? "command" : magicOf(`${sign}${name}`)?.takes;
  if (takes === "command") return ofCommand(source, offset, before);
  if (takes === "path") return paths(offset, before.trimStart());
  const begun = before.trimStart();
  const [word] = /^[^\s=]*/.exec(source.slice(offset))!;
  const place = [offset - begun.length, offset + word.length] as const;
  if (takes === "variable") return candidates(...place, begun, Object.keys(process.env));
  return candidates(...place, begun, takes === "magic" ? magics.map((one) => one.name) : []);
}

/** Cells' magics only at the top. */
function magicNames(source: string, start: number): string[] {
  const names = magics.map(({ name }) => name).filter((name) => name !== "!");
  return source.slice(0, start).trim() === "" ? names : names.filter((name) => !name.startsWith("%%"));
}

/** Paths behind a command; its own name may still become an expression of TypeScript. */
function ofCommand(source: string, offset: number, before: string): Completion | undefined {
  const [word] = /(?:[^\s"'`;&|<>(){}$\\]|\\.)*$/.exec(before)!;
  const isFirst = before.trim() === word && /^[\w$]*$/.test(word);
  if (isFirst && source.slice(offset - before.length - 1, offset - before.length) === "!") return undefined;
  return paths(offset, word.replace(/\\(.)/g, "$1"), word, (name) =>
    name.replace(/[^\w./@%+,:=~\u0080-\uffff-]/g, "\\$&"),
  );
}

function paths(
  offset: number,
  typed: string,
  written = typed,
  asWritten: (name: string) => string = (name) => name,
): Completion {
  const begun = written.slice(written.lastIndexOf("/") + 1);
  const found = namesFrom(process.cwd(), typed, false).map(asWritten);
  return { start: offset - begun.length, end: offset, candidates: found };
}

function candidates(start: number, end: number, begun: string, names: readonly string[]): Completion {
  return { start, end, candidates: names.filter((name) => name.startsWith(begun)).sort() };
}
