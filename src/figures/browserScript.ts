import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

const scripts = new Map<string, string>();

/**
 * A compiled module and all it imports, in one script that needs nothing else and calls the module's `start`.
 *
 * @param entry path of the compiled module, without `.js`.
 */
export function browserScript(entry: string): string {
  let script = scripts.get(entry);
  if (!script) {
    script = bundle(entry);
    scripts.set(entry, script);
  }
  return script;
}

function bundle(entry: string): string {
  const modules = new Map<string, string>();
  collect(entry, dirname(entry), modules);
  const listed = [...modules].map(
    ([name, source]) => `${JSON.stringify(name)}(exports, require) {${source}}`,
  );
  return `(() => {
const modules = {${listed.join(",\n")}};
const loaded = {};
const require = (name) => {
  if (!loaded[name]) modules[name]((loaded[name] = {}), require);
  return loaded[name];
};
require(${JSON.stringify(nameOf(entry, dirname(entry)))}).start();
})();`;
}

function collect(path: string, root: string, modules: Map<string, string>): void {
  const name = nameOf(path, root);
  if (modules.has(name)) return;
  modules.set(name, "");
  const source = withoutComments(readFileSync(`${path}.js`, "utf8"));
  const named = source.replace(/\brequire\("(\.[^"]+)"\)/g, (_, wanted: string) => {
    const target = resolve(dirname(path), wanted);
    collect(target, root, modules);
    return `require(${JSON.stringify(nameOf(target, root))})`;
  });
  modules.set(name, named);
}

function nameOf(path: string, root: string): string {
  return relative(root, path).replace(/\\/g, "/");
}

/** Comments that fill whole lines, the compiler's among them, and indentation help nobody in a page. */
function withoutComments(source: string): string {
  return source
    .replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/^[ \t]+/gm, "")
    .replace(/\n{2,}/g, "\n")
    .replace(/<\/script/g, "<\\/script");
}
