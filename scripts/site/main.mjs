// Builds the static site: README, docs, sources they lead to, API reference, executed notebooks, studies. From the
// repository alone; its pages ask nothing of any network and open from disk.
//   npm run site -- [--out out/site] [--executed out/notebooks] [--short] [--no-api] [--root .]
// A notebook whose page in the `--executed` folder is newer than it is taken as it is; the others are run into that folder,
// with `--short` with the parameters of scripts/shortNotebooks.json (and into out/notebooks-short).
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeApi } from "./api.mjs";
import { executedPages } from "./executed.mjs";
import { Site } from "./site.mjs";
import { SiteError } from "./siteError.mjs";

const flags = {
  out: { type: "string" },
  executed: { type: "string" },
  short: { type: "boolean" },
  "no-api": { type: "boolean" },
  root: { type: "string" },
};
const { values } = parseArgs({ options: flags });
const root = resolve(values.root ?? fileURLToPath(new URL("../..", import.meta.url)));
const out = resolve(values.out ?? join(root, "out", "site"));
const executed = resolve(
  values.executed ?? join(root, "out", values.short ? "notebooks-short" : "notebooks"),
);

try {
  const pages = executedPages(root, executed, values.short === true);
  rmSync(out, { recursive: true, force: true });
  const site = new Site({ root, out, pages, hasApi: !values["no-api"] });
  const count = await site.build();
  if (!values["no-api"]) writeApi(root, out);
  console.log(
    `${count} pages and ${values["no-api"] ? "no" : "the"} API reference: ${join(out, "index.html")}`,
  );
} catch (error) {
  if (!(error instanceof SiteError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
