import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix } from "node:path";
import { readable, relative } from "./addresses.mjs";
import { escapeHtml } from "./layout.mjs";

const require = createRequire(import.meta.url);
const { highlight } = require("../../dist/notebook/highlight.js");

/** A text file of the repository as it stands there. */
export function sourcePage(site, path) {
  const text = site.read(path).trimEnd();
  const code = /\.(ts|mjs|js)$/.test(path) ? highlight(text) : escapeHtml(text);
  return {
    title: `<code>${escapeHtml(path)}</code>`,
    plainTitle: path,
    body: `<p class="aside">From the repository, ${text.split("\n").length} lines.</p>\n<pre class="code"><code>${code}</code></pre>`,
  };
}

/** What a folder of the repository holds. */
export function folderPage(site, path, address) {
  const entries = readdirSync(join(site.root, path), { withFileTypes: true })
    .filter(({ name }) => !/^(\.|node_modules$|dist$|build$|out$|runs$)/.test(name))
    .sort((a, b) => Number(b.isDirectory()) - Number(a.isDirectory()) || a.name.localeCompare(b.name));
  const items = entries.map((entry) => {
    const [name, inner] = [entry.name + (entry.isDirectory() ? "/" : ""), posix.join(path, entry.name)];
    if (!entry.isDirectory() && !readable(join(site.root, inner))) return `<li>${escapeHtml(name)}</li>`;
    return `<li><a href="${relative(address, site.request(inner))}">${escapeHtml(name)}</a></li>`;
  });
  return {
    title: `<code>${escapeHtml(path)}/</code>`,
    plainTitle: `${path}/`,
    body: `<p class="aside">A folder of the repository.</p>\n<ul class="files">${items.join("")}</ul>`,
  };
}
