import { escapeHtml } from "./html";

const keywords =
  "abstract as async await break case catch class const continue default delete do else enum export extends finally for from " +
  "function if implements import in instanceof interface keyof let new of private protected public readonly return " +
  "satisfies static super switch this throw try type typeof var void while yield";
const literals = "true false null undefined NaN Infinity";

/** Token classes in the order in which they are tried; the first that matches wins. */
const tokens: readonly [name: string, pattern: string][] = [
  ["comment", "\\/\\/[^\\n]*|\\/\\*[\\s\\S]*?\\*\\/"],
  ["string", "\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\\\n])*'|`(?:\\\\[\\s\\S]|[^`\\\\])*`"],
  ["number", "\\b(?:0x[\\da-fA-F_]+|\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?n?)\\b"],
  ["keyword", `(?<!\\.)\\b(?:${keywords.replace(/ /g, "|")})\\b(?!\\s*:)`],
  ["literal", `\\b(?:${literals.replace(/ /g, "|")})\\b`],
  ["call", "\\b[a-z_$][\\w$]*(?=\\()"],
  ["type", "\\b[A-Z][\\w$]*\\b"],
];
const pattern = new RegExp(tokens.map(([name, source]) => `(?<${name}>${source})`).join("|"), "g");

/** TypeScript source as HTML with one `<span class="t-…">` per token that has a color. */
export function highlight(source: string): string {
  let html = "";
  let position = 0;
  for (const match of source.matchAll(pattern)) {
    const name = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)![0];
    html += `${escapeHtml(source.slice(position, match.index))}<span class="t-${name}">${escapeHtml(match[0])}</span>`;
    position = match.index! + match[0].length;
  }
  return html + escapeHtml(source.slice(position));
}
