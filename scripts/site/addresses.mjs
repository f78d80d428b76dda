import { readFileSync, statSync } from "node:fs";
import { posix } from "node:path";

/** Larger files are copied, not shown. */
const MOST_BYTES = 400_000;

/** Where in the site something of the repository stands. */
export function addressOf(path, isFolder) {
  if (path === "data/studies") return "studies/index.html";
  if (isFolder && /^notebooks(\/|$)/.test(path)) return `${path}/index.html`;
  if (isFolder) return path === "docs" ? "docs/index.html" : `source/${path}/index.html`;
  if (posix.basename(path) === "README.md") return posix.join(posix.dirname(path), "index.html");
  if (path.endsWith(".md")) return path.replace(/\.md$/, ".html");
  if (/^notebooks\/.+\.ipynb$/.test(path)) return path.replace(/\.ipynb$/, ".html");
  if (/^data\/studies\/[^/]+\.arrow$/.test(path)) return path.replace(/^data\/(.*)\.arrow$/, "$1.html");
  return /\.(png|jpe?g|svg|gif|webp|arrow|safetensors|gz)$/i.test(path) ? path : `source/${path}.html`;
}

/** Whether a file is text of a size to be shown. */
export function readable(file) {
  if (statSync(file).size > MOST_BYTES || /\.(svg|png|jpe?g|gif|webp)$/i.test(file)) return false;
  return !readFileSync(file).includes(0);
}

/** The way from one page of the site to another. */
export function relative(from, to) {
  return posix.relative(posix.dirname(from), to) || posix.basename(to);
}
