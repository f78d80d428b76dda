import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { addressOf } from "./addresses.mjs";

const require = createRequire(import.meta.url);
const { renderMarkdown } = require("../../dist/notebook/markdown.js");

/** A page of Markdown. */
export function textPage(site, path, address) {
  const source = site.read(path);
  const [whole, name] = /^\s*#\s+(.+?)\s*#*\s*(?:\n|$)/.exec(source) ?? ["", path];
  const isDocs = path.startsWith("docs/");
  return {
    title: inline(name),
    plainTitle: name.replace(/[`*_]/g, ""),
    body: linked(site, renderMarkdown(source.slice(whole.length)), path, address),
    part: isDocs ? "Documentation" : undefined,
    beside: isDocs ? docs(site) : [],
  };
}

/** Pages in `docs/` by their titles, the overview first, the others in the order in which it names them. */
function docs(site) {
  const overview = site.read("docs/README.md");
  const place = (name) =>
    name === "README.md" ? -1 : overview.indexOf(`](${name})`) + 1 || Number.MAX_SAFE_INTEGER;
  return readdirSync(join(site.root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
    .map((name) => {
      site.request(`docs/${name}`);
      const title = name === "README.md" ? "Overview" : /^#\s+(.+)$/m.exec(site.read(`docs/${name}`))?.[1];
      return [(title ?? name).replace(/[`*_]/g, ""), addressOf(`docs/${name}`, false)];
    });
}

/** Rendered Markdown with its links and images led to pages of the site, and tables that scroll by themselves. */
export function linked(site, html, path, address) {
  return html
    .replace(/ (href|src)="([^"]*)"/g, (_, name, to) => {
      const target = site.resolve(to.replaceAll("&amp;", "&"), path, address);
      return ` ${name}="${target.replaceAll("&", "&amp;")}"`;
    })
    .replace(/<table>/g, '<div class="wide"><table>')
    .replace(/<\/table>/g, "</table></div>");
}

/** A line of Markdown without a paragraph around it. */
export function inline(text) {
  return renderMarkdown(text)
    .trim()
    .replace(/^<p>|<\/p>$/g, "");
}
