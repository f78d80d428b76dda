import type * as ts from "typescript";
import type { Completion } from "../cellCompiler";
import { completePath } from "../paths";
import type { TypeScript } from "../typescript";
import type { LiveHost } from "./host";
import type { ImportableNames } from "./importable";
import { importsFor } from "./importCompletion";
import type { CellFile, LiveProgram } from "./program";

/** What the compiler has beside its published interface. */
interface Internals {
  Completions: {
    getCompletionsAtPosition(
      host: LiveHost,
      program: ts.Program,
      log: (message: string) => void,
      file: ts.SourceFile,
      position: number,
      preferences: ts.UserPreferences,
      trigger: undefined,
      kind: ts.CompletionTriggerKind,
      cancellation: ts.CancellationToken,
    ): ts.CompletionInfo | undefined;
  };
  findPrecedingToken(position: number, file: ts.SourceFile): ts.Node | undefined;
}

export const neverCancelled: ts.CancellationToken & { throwIfCancellationRequested(): void } = {
  isCancellationRequested: () => false,
  throwIfCancellationRequested: () => {},
};

/** Candidates for the token around an offset; those that begin as it does come first. */
export function completionAt(
  compiler: TypeScript,
  live: LiveProgram,
  file: CellFile,
  offset: number,
  importable: ImportableNames,
): Completion {
  const { Completions, findPrecedingToken } = compiler as unknown as Internals;
  const info = Completions.getCompletionsAtPosition(
    live.host,
    live.current,
    () => {},
    file,
    offset,
    {},
    undefined,
    compiler.CompletionTriggerKind.Invoked,
    neverCancelled,
  );
  const token = wordAt(
    compiler,
    findPrecedingToken(offset, file),
    findPrecedingToken(offset + 1, file),
    file,
    offset,
  );
  const begun = specifierBegun(file.text.slice(0, offset));
  const place = token ?? textPlace(info, file.text, offset);
  const candidates = sorted(info?.entries ?? [], token ? token.text : file.text.slice(place.start, offset));
  if (begun !== undefined)
    for (const name of ownPackages)
      if (name.startsWith(begun) && !candidates.includes(name)) candidates.unshift(name);
  const imports = token
    ? importsFor(compiler, importable, file, token.node, file.text.slice(token.start, offset), candidates)
    : [];
  const found = { start: place.start, end: place.end, candidates, imports, original: info };
  if (candidates.length > 0 || imports.length > 0) return found;
  return completePath(compiler, live.folder, file.text, offset) ?? found;
}

/** Packages that cells find wherever the notebook is. */
const ownPackages = ["tslab", "luvit"];

/** What has been written of a package's name. */
function specifierBegun(before: string): string | undefined {
  return /(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*["']([\w@-]*)$/.exec(before)?.[1];
}

interface Word {
  start: number;
  end: number;
  text: string;
  node: ts.Node;
}

/** The name that an offset is in or at the end of, else the one that begins there. */
function wordAt(
  compiler: TypeScript,
  before: ts.Node | undefined,
  after: ts.Node | undefined,
  file: ts.SourceFile,
  offset: number,
): Word | undefined {
  for (const node of [before, after]) {
    if (!node || !(compiler.isIdentifier(node) || compiler.isPrivateIdentifier(node))) continue;
    const start = node.getStart(file);
    if (start <= offset && offset <= node.end) return { start, end: node.end, text: node.text, node };
  }
  return undefined;
}

/** The part of a text that an entry stands for: without a span of its own, the word around the offset. */
function textPlace(
  info: ts.CompletionInfo | undefined,
  text: string,
  offset: number,
): Pick<Word, "start" | "end"> {
  const span =
    info?.optionalReplacementSpan ?? info?.entries.find((one) => one.replacementSpan)?.replacementSpan;
  if (!span) {
    const [before] = /[\p{ID_Continue}$]*$/u.exec(text.slice(0, offset))!;
    const [after] = /^[\p{ID_Continue}$]*/u.exec(text.slice(offset))!;
    return { start: offset - before.length, end: offset + after.length };
  }
  return { start: span.start, end: Math.max(offset, span.start + span.length) };
}

/** Names that begin as the word does, then those that do in other letters, then those that have it inside. */
function sorted(entries: readonly ts.CompletionEntry[], word: string): string[] {
  const lower = word.toLowerCase();
  const rank = (name: string): number => {
    if (name.startsWith(word)) return 0;
    if (name.toLowerCase().startsWith(lower)) return 1;
    return name.toLowerCase().includes(lower) ? 2 : 3;
  };
  const ranked = entries
    .map((entry) => ({ name: entry.name, key: `${rank(entry.name)}${entry.sortText}` }))
    .filter(({ key }) => key[0] !== "3");
  ranked.sort(
    (one, other) => compare(one.key, other.key) || (word === "" ? compare(one.name, other.name) : 0),
  );
  return [...new Set(ranked.map(({ name }) => name))];
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
