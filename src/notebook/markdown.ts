import katex from "katex";
import { Marked } from "marked";
import { highlight } from "./highlight";
import { escapeHtml } from "./html";
import type { MimeBundle } from "./nbformat";
import { isSafeAddress, safeHtml } from "./safeMarkup";

const formula = /\$\$([\s\S]+?)\$\$|(?<![\\$\w])\$(?!\s)([^$\n]*?[^\s\\$])\$(?!\w)/g;
const code = /(`{3,}[\s\S]*?`{3,}|`[^`\n]+`)/;

/**
 * Markdown to HTML: GitHub's dialect, TypeScript highlighted, `$…$` formulas as MathML (drawn by the browser, no
 * fonts needed), images attached to the cell inlined. HTML in it is kept where it is harmless; nothing in it runs.
 */
export function renderMarkdown(source: string, attachments: Record<string, MimeBundle> = {}): string {
  const formulas: string[] = [];
  const text = source
    .split(code)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replace(formula, (_, block?: string, inline?: string) => {
            formulas.push(renderFormula(block ?? inline ?? "", block !== undefined));
            return `\u0001${formulas.length - 1}\u0001`;
          }),
    )
    .join("");
  const html = marked(attachments).parse(text, { async: false }) as string;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the marker must be a character no notebook contains
  return html.replace(/\u0001(\d+)\u0001/g, (_, index: string) => formulas[Number(index)]!);
}

/** Identifier of a heading, so that a table of contents can link to it. */
export function headingId(text: string): string {
  return text
    .toLowerCase()
    .replace(/<[^>]*>|&[a-z]+;/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
}

function marked(attachments: Record<string, MimeBundle>): Marked {
  return new Marked({
    gfm: true,
    renderer: {
      code: ({ text, lang }) =>
        `<pre class="code"><code>${/^(ts|typescript|js|javascript)$/.test(lang ?? "") ? highlight(text) : escapeHtml(text)}</code></pre>\n`,
      heading({ tokens, depth }) {
        const html = this.parser.parseInline(tokens);
        return `<h${depth} id="${headingId(html)}">${html}</h${depth}>\n`;
      },
      image: ({ href, text }) => {
        const address = resolveAttachment(href, attachments);
        if (!isSafeAddress(address)) return escapeHtml(text);
        return `<img src="${escapeHtml(address)}" alt="${escapeHtml(text)}">`;
      },
      link({ href, title, tokens }) {
        const text = this.parser.parseInline(tokens);
        if (!isSafeAddress(href)) return text;
        const tip = title ? ` title="${escapeHtml(title)}"` : "";
        return `<a href="${escapeHtml(href)}"${tip}>${text}</a>`;
      },
      html: ({ text }) => safeHtml(text),
    },
  });
}

function resolveAttachment(href: string, attachments: Record<string, MimeBundle>): string {
  const bundle = href.startsWith("attachment:") ? attachments[href.slice("attachment:".length)] : undefined;
  const [mime, content] = Object.entries(bundle ?? {})[0] ?? [];
  return mime === undefined ? href : `data:${mime};base64,${String(content)}`;
}

function renderFormula(tex: string, displayMode: boolean): string {
  return katex.renderToString(tex, { output: "mathml", displayMode, throwOnError: false });
}
