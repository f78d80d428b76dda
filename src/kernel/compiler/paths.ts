import { type Dirent, readdirSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import type * as ts from "typescript";
import type { Completion } from "./cellCompiler";
import type { TypeScript } from "./typescript";

/** Most names of one folder that are offered. */
const mostNames = 500;

/**
 * Files and folders that go on from what a text in a cell says up to `offset` (UTF-16 units), seen from the notebook's
 * folder; undefined where the offset is in no text. Text of import statements names modules: without `.ts`.
 */
export function completePath(
  compiler: TypeScript,
  folder: string,
  source: string,
  offset: number,
): Completion | undefined {
  const tree = compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);
  const text = textAt(compiler, tree, offset);
  if (!text) return undefined;
  const typed = source.slice(text.getStart() + 1, offset);
  const begun = typed.slice(typed.lastIndexOf("/") + 1);
  const isModule = compiler.isImportDeclaration(text.parent) || compiler.isExportDeclaration(text.parent);
  if (isModule && !/^\.{0,2}\//.test(typed)) return undefined;
  const candidates = namesFrom(folder, typed, isModule);
  const rest = /^[^/"'`\n]*\/?/.exec(source.slice(offset, text.getEnd()))![0];
  const isOpen = compiler.isStringLiteralLike(text) && (text as { isUnterminated?: boolean }).isUnterminated;
  return { start: offset - begun.length, end: offset + (isOpen ? 0 : rest.length), candidates };
}

/** Files and folders that go on from what is typed of a path, those that a text can hold as they are. */
export function namesFrom(folder: string, typed: string, isModule: boolean): string[] {
  const at = typed.lastIndexOf("/") + 1;
  const [before, begun] = [typed.slice(0, at), typed.slice(at)];
  const from = isAbsolute(before) ? before : resolve(folder, before);
  const names = entriesOf(from)
    .filter(({ name }) => name.startsWith(begun) && (begun !== "" || !name.startsWith(".")))
    .map((entry) => nameOf(entry, isModule))
    .filter((name) => !/["'`\\\n\r\ufffd]|\$\{/.test(name));
  return [...new Set(names)].sort().slice(0, mostNames);
}

/** The text literal around an offset. */
function textAt(compiler: TypeScript, tree: ts.SourceFile, offset: number): ts.StringLiteralLike | undefined {
  const find = (node: ts.Node): ts.StringLiteralLike | undefined => {
    if (offset <= node.getStart() || offset > node.end) return undefined;
    if (!compiler.isStringLiteralLike(node)) return compiler.forEachChild(node, find);
    const isOpen = (node as { isUnterminated?: boolean }).isUnterminated === true;
    return isOpen || offset < node.end ? node : undefined;
  };
  return compiler.forEachChild(tree, find);
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // not there, not a folder or not ours to read: nothing goes on from here
  }
}

function nameOf(entry: Dirent, isModule: boolean): string {
  if (entry.isDirectory()) return `${entry.name}/`;
  return isModule ? entry.name.replace(/(?:\.d)?\.tsx?$/, "") : entry.name;
}
