import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

let script: string | undefined;

/** The modules of `browser/`, as compiled, in one script that needs nothing else and starts at `main`. */
export function browserScript(): string {
  script ??= bundle(join(__dirname, "browser"));
  return script;
}

function bundle(folder: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const modules = names.map((name) => {
    const source = withoutComments(readFileSync(join(folder, name), "utf8"));
    return `${JSON.stringify(`./${name.slice(0, -3)}`)}(exports, require) {${source}}`;
  });
  return `(() => {
const modules = {${modules.join(",\n")}};
const loaded = {};
const require = (name) => {
  if (!loaded[name]) modules[name]((loaded[name] = {}), require);
  return loaded[name];
};
require("./main").start();
})();`;
}

/** Comments that fill whole lines, the compiler's among them, help nobody in a page. */
function withoutComments(source: string): string {
  return source
    .replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/\n{2,}/g, "\n")
    .replace(/<\/script/g, "<\\/script");
}
