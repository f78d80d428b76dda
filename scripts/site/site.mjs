import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { addressOf, readable, relative } from "./addresses.mjs";
import { layout } from "./layout.mjs";
import { notebookIndex, notebookPage } from "./notebooks.mjs";
import { SiteError } from "./siteError.mjs";
import { folderPage, sourcePage } from "./sources.mjs";
import { studyIndex, studyPage } from "./studies.mjs";
import { script, styleSheet } from "./style.mjs";
import { textPage } from "./texts.mjs";

/** Pages are made as they are linked to, from the README on; at the end every link has been followed. */
export class Site {
  pages = new Map();
  waiting = [];
  faults = [];
  links = [];

  constructor({ root, out, pages, hasApi }) {
    Object.assign(this, { root, out, executed: pages, hasApi });
  }

  /** Writes all pages; their number. */
  async build() {
    this.write("site.css", styleSheet());
    this.write("site.js", script);
    for (const path of ["README.md", "docs/README.md", "notebooks", "data/studies"])
      if (this.exists(path)) this.request(path);
    for (let path = this.waiting.shift(); path !== undefined; path = this.waiting.shift())
      await this.make(path);
    this.followAnchors();
    if (this.faults.length > 0) throw new SiteError(this.faults.join("\n"));
    return [...this.pages.values()].filter(Boolean).length;
  }

  exists(path) {
    return existsSync(join(this.root, path));
  }

  isFolder(path) {
    return statSync(join(this.root, path)).isDirectory();
  }

  read(path) {
    return readFileSync(join(this.root, path), "utf8");
  }

  /** The address in the site of something in the repository, which becomes a page. */
  request(path) {
    if (!this.pages.has(path)) {
      this.pages.set(path, undefined);
      this.waiting.push(path);
    }
    return addressOf(path, this.isFolder(path));
  }

  /** A link found at `from` (a path in the repository), as it is written in the page at `address`. */
  resolve(href, from, address) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(href)) return href;
    const [target, anchor] = href.split("#");
    const path =
      target === "" ? from : posix.normalize(posix.join(posix.dirname(from), target)).replace(/\/$/, "");
    if (path.startsWith("..") || !this.exists(path)) {
      this.faults.push(`${from}: links to ${href}, which is not in the repository`);
      return href;
    }
    const to = this.request(path);
    const id = anchor?.replace(/-+/g, "-");
    if (id) this.links.push({ from, href, path, id });
    return relative(address, to) + (id ? `#${id}` : "");
  }

  /** Writes what one path of the repository becomes. */
  async make(path) {
    const address = addressOf(path, this.isFolder(path));
    const page = await this.content(path, address);
    if (page === undefined) return;
    const html = page.html ?? layout({ ...page, address, site: this });
    this.pages.set(path, html);
    this.write(address, html);
  }

  async content(path, address) {
    if (this.isFolder(path) && /^notebooks(\/|$)/.test(path)) return notebookIndex(this, path, address);
    if (path === "data/studies") return studyIndex(this, address);
    if (this.isFolder(path)) return folderPage(this, path, address);
    if (path.endsWith(".md")) return textPage(this, path, address);
    if (/^notebooks\/.+\.ipynb$/.test(path)) return notebookPage(this, path, address);
    if (/^data\/studies\/[^/]+\.arrow$/.test(path)) return studyPage(this, path, address);
    if (readable(join(this.root, path))) return sourcePage(this, path);
    mkdirSync(dirname(join(this.out, address)), { recursive: true });
    copyFileSync(join(this.root, path), join(this.out, address));
    return undefined;
  }

  write(address, text) {
    const file = join(this.out, address);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  followAnchors() {
    for (const { from, href, path, id } of this.links) {
      if (!this.pages.get(path)?.includes(` id="${id}"`))
        this.faults.push(`${from}: links to ${href}, but ${path} has no heading of that name`);
    }
  }
}
