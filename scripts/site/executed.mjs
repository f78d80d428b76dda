import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SiteError } from "./siteError.mjs";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const short = JSON.parse(readFileSync(new URL("../shortNotebooks.json", import.meta.url), "utf8"));

/**
 * The page of every notebook in `notebooks/`, by its place there. Pages of the folder that are newer than their
 * notebooks are taken; the others are written by running the notebook.
 */
export function executedPages(root, folder, isShort) {
  const notebooks = join(root, "notebooks");
  const names = existsSync(notebooks) ? readdirSync(notebooks, { recursive: true }).map(String) : [];
  const faults = [];
  const pages = new Map();
  for (const file of names.sort()) {
    const name = file.replaceAll("\\", "/");
    if (!name.endsWith(".ipynb") || /(^|\/)(runs|\.ipynb_checkpoints)\//.test(name)) continue;
    const page = join(folder, name.replace(/\.ipynb$/, ".html"));
    if (isNewer(page, join(notebooks, name))) console.log(`taken: ${page}`);
    else if (!ran(join(notebooks, name), dirname(page), isShort ? (short[name] ?? {}) : {})) {
      faults.push(`notebooks/${name} does not run to its end (see above)`);
      continue;
    }
    const state = /<span class="bad">([^<]*)<\/span>/.exec(readFileSync(page, "utf8").slice(0, 60_000))?.[1];
    if (state !== undefined) faults.push(`${page}: ${state}; delete it to have its notebook run again`);
    pages.set(name, page);
  }
  if (faults.length > 0) throw new SiteError(faults.join("\n"));
  return pages;
}

const isNewer = (page, notebook) => existsSync(page) && statSync(page).mtimeMs >= statSync(notebook).mtimeMs;

function ran(notebook, folder, parameters) {
  console.log(`running: ${notebook}`);
  const given = Object.entries(parameters).flatMap(([key, value]) => ["-p", `${key}=${value}`]);
  const { status } = spawnSync(process.execPath, [cli, "run", notebook, "--out", folder, ...given], {
    stdio: "inherit",
  });
  return status === 0;
}
