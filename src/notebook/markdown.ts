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
 * fonts needed), images attached to the cell inlined. HTML in it is kept where it is harmless; nothing in it runs. What is
 * too long or too deep to be rendered stays text.
 */
export function renderMarkdown(source: string, attachments: Record<string, MimeBundle> = {}): string {
  if (isTooLong(source)) return `<pre>${escapeHtml(source)}</pre>`;
  const formulas: Formula[] = [];
  const text = source
    .replaceAll(MARK, "")
    .split(code)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replace(formula, (_, block?: string, inline?: string) => {
            formulas.push({ tex: block ?? inline ?? "", isBlock: block !== undefined });
            return `${MARK}${formulas.length - 1}${MARK}`;
          }),
    )
    .join("");
  return attempt(source, () => {
    const html = marked(attachments).parse(text, { async: false }) as string;
    return html.replace(tagOrMark, (tag: string, index?: string) =>
      index === undefined
        ? tag.replace(mark, (_, own: string) => escapeHtml(formulas[Number(own)]!.tex))
        : renderFormula(formulas[Number(index)]!),
    );
  });
}

/** Characters of one paragraph or list; the renderer's time grows with their square, and people write a tenth of that. */
const longestBlock = 20_000;
const embedded = /data:image\/[a-z]+;base64,[\w+/=]+/g;

/** Whether a text has a block that is too long to be rendered; code and embedded images do not count. */
function isTooLong(source: string): boolean {
  if (source.length <= longestBlock) return false;
  const outside = source.split(code).filter((_, index) => index % 2 === 0);
  const blocks = outside.flatMap((part) => part.replace(embedded, "").split(/\n\s*\n/));
  return blocks.some((block) => block.length > longestBlock);
}

interface Formula {
  tex: string;
  isBlock: boolean;
}

/** Stands around the number of a formula while the rest is rendered; taken out of every source before. */
const MARK = "\u0001";
const mark = new RegExp(`${MARK}(\\d+)${MARK}`, "g");
/** A formula in an attribute, e.g. in the words of an image, stays the text that it is. */
const tagOrMark = new RegExp(`<[^>]*>|${mark.source}`, "g");

/** Text so deeply nested that the renderer's stack does not reach is shown as it is. */
function attempt(source: string, render: () => string): string {
  try {
    return render();
  } catch (error) {
    if (error instanceof RangeError) return `<pre>${escapeHtml(source)}</pre>`;
    throw error;
  }
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

function renderFormula({ tex, isBlock }: Formula): string {
  return attempt(tex, () =>
    katex.renderToString(tex, { output: "mathml", displayMode: isBlock, throwOnError: false }),
  );
}
