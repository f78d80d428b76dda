import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { Script } from "node:vm";
import * as ts from "typescript";
import { browserScript } from "../../../src/figures/browserScript";
import { assertThrows } from "../train/support";

const project = resolve(__dirname, "../../../..");
const source = join(project, "src");
const entries = ["attention", "attention/live", "interactive", "patches", "plotly"].map((name) =>
  resolve(__dirname, `../../../src/figures/${name}/browser/main`),
);

/** The files that a file names, type-only imports and import() too. */
function importsOf(file: string): string[] {
  const tree = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const named =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    if (named && ts.isStringLiteralLike(named) && named.text.startsWith(".")) {
      const path = join(dirname(file), named.text);
      found.push(existsSync(`${path}.ts`) ? `${path}.ts` : join(path, "index.ts"));
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** A walk along imports that comes back to a file it has been in; undefined when there is none. */
function circleFrom(files: readonly string[]): string[] | undefined {
  const finished = new Set<string>();
  const walk = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const next of importsOf(file)) {
      const circle = walk(next, [...path, file]);
      if (circle) return circle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of files) {
    const circle = walk(file, []);
    if (circle?.some((one) => files.includes(one))) return circle.map((one) => relative(source, one));
  }
  return undefined;
}

function filesOf(folder: string): string[] {
  return readdirSync(join(source, folder), { recursive: true })
    .map((file) => join(source, folder, String(file)))
    .filter((file) => file.endsWith(".ts"));
}

describe("figures and displays are built in one direction", () => {
  for (const folder of ["figures", "notebook"]) {
    it(`no file of ${folder} imports itself through others, not even types`, () => {
      const files = filesOf(folder);
      assert.ok(files.length > 20);
      assert.equal(circleFrom(files), undefined);
    });
  }
});

describe("what pages run", () => {
  it("is one script each that parses, asks for no module and can stand in a script element", () => {
    const scripts = entries.map(browserScript);
    assert.equal(new Set(scripts).size, entries.length, "each display has its own");
    for (const [i, entry] of entries.entries()) {
      const script = scripts[i]!;
      new Script(script);
      assert.doesNotMatch(script, /\brequire\(|\bimport\b\s*["({]|<\/script/);
      // The bench of heads, relevance and lens is the largest of them; a page is to stay small.
      assert.ok(script.length < 50_000, `${entry}: ${script.length} characters`);
    }
  });

  it("is typed by the browser's own types, and nothing else may use them", () => {
    const options = (name: string) => ts.readConfigFile(join(project, name), ts.sys.readFile).config;
    assert.deepEqual(options("tsconfig.json").compilerOptions.lib, ["ES2022"]);
    assert.deepEqual(options("tsconfig.json").exclude, ["src/**/browser"]);
    assert.ok(options("tsconfig.browser.json").compilerOptions.lib.includes("DOM"));
  });

  it("a library that was not built says so, and how to build it", () => {
    assertThrows(() => browserScript("/nowhere/main"), "missing-file", /main\.js: .*"npm run build"/);
  });
});
