import type { CellLanguage } from "../cellCompiler";
import { isJsx } from "./program";

/** The name that a cell's first doc comment gives it: `@module name` makes the cell a module. */
export function moduleName(source: string): string | undefined {
  for (const comment of leadingComments(source)) {
    const name = /(?:^|[\s*])@module[ \t]+([\w$-]+)/.exec(comment)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

/** Where the module of such a cell stands for a file. */
export function modulePath(folder: string, name: string, source: string, language: CellLanguage): string {
  const isElements = isJsx(source) || leadingComments(source).some((one) => /@jsx\b/.test(one));
  return `${folder}/${name}.${language === "javascript" ? "js" : "ts"}${isElements ? "x" : ""}`;
}

/** The doc comments before the first code. */
function leadingComments(source: string): string[] {
  const found: string[] = [];
  let rest = source;
  for (;;) {
    const [whole] = /^\s*(?:\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)/.exec(rest) ?? [];
    if (whole === undefined) return found;
    if (whole.trim().startsWith("/**")) found.push(whole);
    rest = rest.slice(whole.length);
  }
}
