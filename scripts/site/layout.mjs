import { createRequire } from "node:module";
import { relative } from "./addresses.mjs";

const require = createRequire(import.meta.url);
export const { escapeHtml } = require("../../dist/notebook/html.js");

/** The parts of the site that every page leads to. */
function parts(site) {
  return [
    ["Notebooks", "notebooks", "notebooks/index.html"],
    ["Documentation", "docs/README.md", "docs/index.html"],
    ["Studies", "data/studies", "studies/index.html"],
    ["API", undefined, "api/index.html"],
  ].filter(([, path]) => (path === undefined ? site.hasApi : site.exists(path)));
}

/** What stands above every page: a link past it for those who use keys, and the parts of the site. */
export function siteHeader(site, address, part) {
  const links = parts(site).map(([name, , to]) => {
    const current = name === part ? ` aria-current="${address === to ? "page" : "true"}"` : "";
    return `<a href="${relative(address, to)}"${current}>${name}</a>`;
  });
  return `<a class="skip" href="#content">Skip to the content</a>
<header class="site"><nav class="site" aria-label="Site"><a class="home" href="${relative(address, "index.html")}">luvit</a>${links.join("")}</nav></header>`;
}

/** What a page needs in its head beside its title. */
export function headLinks(address) {
  return `<link rel="stylesheet" href="${relative(address, "site.css")}">
<script defer src="${relative(address, "site.js")}"></script>`;
}

/**
 * A page of the site. `title` and `lead` are HTML; `part` is the part of the site that it belongs to; `beside` are links to
 * pages of the same part, `[text, address]`.
 */
export function layout({ title, plainTitle, body, part, beside = [], address, site }) {
  const sections = [...body.matchAll(/<h2 id="([^"]*)">(.*?)<\/h2>/g)].map(
    ([, id, text]) => `<a href="#${id}">${text.replace(/<\/?a\b[^>]*>/g, "")}</a>`,
  );
  const contents = sections.length > 2 ? `\n<nav aria-label="Contents">${sections.join("")}</nav>` : "";
  const others = beside.map(([text, to]) => {
    const current = to === address ? ' aria-current="page"' : "";
    return `<li><a href="${relative(address, to)}"${current}>${escapeHtml(text)}</a></li>`;
  });
  const pages =
    others.length > 0
      ? `\n<nav class="pages" aria-label="${part}"><p>${part}</p><ul>${others.join("")}</ul></nav>`
      : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(plainTitle === "luvit" ? "luvit" : `${plainTitle} · luvit`)}</title>
<link rel="icon" href="data:,">
${headLinks(address)}
</head>
<body>
${siteHeader(site, address, part)}
<div class="columns${others.length > 0 ? " two" : ""}">
<main id="content" tabindex="-1">
<header>
<h1>${title}</h1>${contents}
</header>
${body}
</main>${pages}
</div>
</body>
</html>
`;
}
