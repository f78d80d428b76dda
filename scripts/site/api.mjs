import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { relative } from "./addresses.mjs";
import { SiteError } from "./siteError.mjs";

const typedoc = fileURLToPath(new URL("../../node_modules/typedoc/bin/typedoc", import.meta.url));

/** The reference of every public name below `api/`, as `npm run docs` writes it, with a way back to the site. */
export function writeApi(root, out) {
  const folder = join(out, "api");
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [typedoc, "--out", folder, "--skipErrorChecking", "--logLevel", "Error", "--hideGenerator"],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) throw new SiteError(`typedoc failed:\n${stdout}${stderr}`);
  for (const name of readdirSync(folder, { recursive: true }).map((one) =>
    String(one).replaceAll("\\", "/"),
  )) {
    if (!name.endsWith(".html")) continue;
    const back = relative(posix.join("api", name), "index.html");
    const file = join(folder, name);
    const html = readFileSync(file, "utf8").replace(toolbarLinks, () => wayBack(back));
    writeFileSync(file, html.replace(iconFile, 'href="#icon-'));
  }
}

/** Pages that are opened from disk may not read another file for its icons; the reference's script puts them into the page. */
const iconFile = /href="[^"]*assets\/icons\.svg#icon-/g;
/** Where typedoc's theme has room for links of its own. */
const toolbarLinks = '<div id="tsd-toolbar-links"></div>';
const wayBack = (to) => `<div id="tsd-toolbar-links"><a href="${to}">Notebooks and documentation</a></div>`;
