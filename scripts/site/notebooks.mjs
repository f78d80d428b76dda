import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { relative } from "./addresses.mjs";
import { escapeHtml, headLinks, siteHeader } from "./layout.mjs";
import { inline, linked } from "./texts.mjs";

/** The executed page of a notebook within the site: its figures and viewers as they are, its links led to pages. */
export function notebookPage(site, path, address) {
  const html = readFileSync(site.executed.get(path.slice("notebooks/".length)), "utf8")
    // The site's style sheet has all of the page's own.
    .replace(/<style>[\s\S]*?<\/style>/, () => headLinks(address))
    .replace(
      "<body>\n<main>",
      () => `<body>\n${siteHeader(site, address, "Notebooks")}\n<main id="content" tabindex="-1">`,
    )
    .replace(/<section class="text">[\s\S]*?<\/section>/g, (text) => linked(site, text, path, address));
  return { html };
}

/** The notebooks of a folder: the picture of each, its title, and the paragraph that it begins with. */
export function notebookIndex(site, folder, address) {
  const all = [...site.executed.keys()].map((name) => `notebooks/${name}`);
  const inner = new Set(
    all.map((path) => posix.dirname(path)).filter((one) => posix.dirname(one) === folder),
  );
  const folders = [...inner].map((path) => {
    const to = relative(address, site.request(path));
    return `<li><div><h2><a href="${to}">${escapeHtml(titleOf(path))}</a></h2></div></li>`;
  });
  const items = all.filter((path) => posix.dirname(path) === folder).map((path) => card(site, path, address));
  return {
    title: escapeHtml(titleOf(folder)),
    plainTitle: titleOf(folder),
    body: `<p>Every notebook as it ran, cell by cell; figures and viewers react to pointer, touch and keys.</p>
<ol class="cards">${[...folders, ...items].join("\n")}</ol>`,
    part: "Notebooks",
  };
}

/** What a folder of notebooks is called: "Course". */
function titleOf(folder) {
  const name = posix.basename(folder);
  return name[0].toUpperCase() + name.slice(1);
}

function card(site, path, address) {
  const { title, lead } = opening(site.read(path), posix.basename(path));
  const to = relative(address, site.request(path));
  const picture = path.replace(/\.ipynb$/, ".png");
  const image = site.exists(picture)
    ? `<img src="${relative(address, site.request(picture))}" alt="" loading="lazy">`
    : "";
  const body = linked(site, inline(lead), path, address);
  return `<li>${image}<div><h2><a href="${to}">${escapeHtml(title)}</a></h2><p>${body}</p></div></li>`;
}

function opening(text, name) {
  const first = JSON.parse(text).cells.find((cell) => cell.cell_type === "markdown");
  const source = [].concat(first?.source ?? "").join("");
  const [title = "", ...rest] = source.trim().split("\n");
  const lead = rest
    .join("\n")
    .trim()
    .split(/\n\s*\n/)[0];
  return { title: title.replace(/^#+\s*/, "").replace(/[`*]/g, "") || name, lead };
}
