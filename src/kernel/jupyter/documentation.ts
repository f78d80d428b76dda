import type * as ts from "typescript";
import type { MimeBundle } from "../../notebook/nbformat";

/** What the compiler knows about a name, as plain text and as Markdown: its type, its comment, and the comment's tags. */
export function documentation(info: ts.QuickInfo): MimeBundle {
  const signature = textOf(info.displayParts);
  const notes = textOf(info.documentation).trim();
  const tags = info.tags ?? [];
  const plain = [notes, tags.map(plainTag).join("\n")].filter((part) => part !== "");
  const marked = [`${fenced(signature)}\n${notes}`.trim(), ...groups(tags).map(markedGroup)];
  return {
    "text/plain": [signature, ...plain].join("\n\n"),
    "text/markdown": marked.join("\n\n"),
  };
}

function textOf(parts: readonly ts.SymbolDisplayPart[] | undefined): string {
  return (parts ?? []).map((part) => part.text).join("");
}

function plainTag({ name, text }: ts.JSDocTagInfo): string {
  const words = textOf(text).trim();
  return `@${name}${words.includes("\n") ? "\n" : " "}${words}`.trimEnd();
}

/** Neighbours of one name stand in one list. */
function groups(tags: readonly ts.JSDocTagInfo[]): ts.JSDocTagInfo[][] {
  const found: ts.JSDocTagInfo[][] = [];
  for (const tag of tags) {
    const last = found.at(-1);
    if (last?.[0]?.name === tag.name) last.push(tag);
    else found.push([tag]);
  }
  return found;
}

function markedGroup(tags: readonly ts.JSDocTagInfo[]): string {
  return tags.map(markedTag).join("\n");
}

function markedTag({ name, text }: ts.JSDocTagInfo): string {
  const words = textOf(text).trim();
  if (name === "example") return `*@example*\n\n${words.includes("```") ? words : fenced(words)}\n`;
  const [, parameter, rest] = /^(\S+)\s*-?\s*([\s\S]*)$/.exec(words) ?? [];
  if (["param", "typeParam", "template"].includes(name) && parameter !== undefined)
    return `- *@${name}* \`${parameter}\` ${rest}`.trimEnd();
  return `- *@${name}* ${words}`.trimEnd();
}

function fenced(code: string): string {
  return `\`\`\`typescript\n${code}\n\`\`\``;
}
