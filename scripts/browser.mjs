// Makes of everything that runs in pages (src/**/browser/main.ts) one script each, beside the compiled library. The
// library reads these files and needs no bundler itself.
//   node scripts/browser.mjs [dist | build/src]
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");
const entries = readdirSync(source, { recursive: true })
  .map(String)
  .filter((file) => /[\\/]browser[\\/]main\.ts$/.test(file));

await build({
  absWorkingDir: root,
  entryPoints: entries.map((file) => join(source, file)),
  outbase: source,
  outdir: process.argv[2] ?? "dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  tsconfig: "tsconfig.browser.json",
  logLevel: "warning",
});
