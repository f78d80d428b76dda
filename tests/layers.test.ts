import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { test } from "node:test";
import * as ts from "typescript";

/** Folders of src, lowest first. A folder imports from rows above its own, not from its own row or below. */
const rows = [
  ["core"],
  ["graph"],
  ["engine"],
  ["io", "nn"],
  ["models", "data", "optim"],
  ["train"],
  ["analysis"],
  ["figures"],
  ["notebook"],
  ["kernel"],
  ["commandLine"],
  ["index", "cli"],
];

/** The one place that may name a package. */
const packageOwners: [pattern: RegExp, mayName: (file: string) => boolean, where: string][] = [
  [/^@tensorflow\//, (file) => file === "core/tf.ts", "src/core/tf.ts"],
  [
    /^tslab(\/|$)/,
    (file) => file.startsWith("notebook/") || file.startsWith("kernel/"),
    "src/notebook and src/kernel",
  ],
  [/^(@huggingface\/hub|undici)$/, (file) => file.startsWith("io/hub/"), "src/io/hub"],
  [
    /^zod(\/|$)/,
    (file) => file.startsWith("core/options/") || file === "models/configSchema.ts",
    "src/core/options and src/models/configSchema.ts",
  ],
  [/^jsonc-parser$/, (file) => file === "commandLine/jsonc.ts", "src/commandLine/jsonc.ts"],
  [/^zeromq$/, (file) => file === "kernel/protocol/sockets.ts", "src/kernel/protocol/sockets.ts"],
];

interface Import {
  file: string;
  from: string;
  line: number;
}

const source = join(repository(__dirname), "src");

function repository(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
}

function sourceFiles(): string[] {
  const entries = readdirSync(source, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts"));
  return files.map((entry) =>
    relative(source, join(entry.parentPath ?? entry.path, entry.name))
      .split("\\")
      .join("/"),
  );
}

/** Every module a file names: import and export lines, type-only ones too, import(), require() and require.resolve(). */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), "utf8");
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined) => {
    if (!node || !ts.isStringLiteralLike(node)) return;
    found.push({ file, from: node.text, line: tree.getLineAndCharacterOfPosition(node.getStart()).line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    if (ts.isCallExpression(node) && /^(import|require(\.resolve)?)$/.test(node.expression.getText()))
      add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

const folderOf = (file: string) => (file.includes("/") ? file.split("/")[0] : file.replace(/\.ts$/, ""));
const rowOf = (folder: string) => rows.findIndex((row) => row.includes(folder));
const imports = sourceFiles().flatMap(importsOf);
const place = ({ file, from, line }: Import) => `src/${file}:${line} imports "${from}"`;

test("every folder of src has its row", () => {
  const folders = [...new Set(sourceFiles().map(folderOf))];
  assert.deepEqual(
    folders.filter((folder) => rowOf(folder) < 0),
    [],
  );
  assert.ok(imports.length > 200);
});

test("no folder imports from its own row or from below", () => {
  const wrong = imports.filter(({ file, from }) => {
    if (!from.startsWith(".")) return false;
    const own = folderOf(file);
    const target = folderOf(posix.join(posix.dirname(file), from) || "index");
    return target !== own && rowOf(target) >= rowOf(own);
  });
  assert.deepEqual(wrong.map(place), []);
});

for (const [pattern, mayName, where] of packageOwners) {
  test(`only ${where} may name packages like ${pattern.source}`, () => {
    const wrong = imports.filter(({ file, from }) => pattern.test(from) && !mayName(file));
    assert.deepEqual(wrong.map(place), []);
    assert.ok(imports.some(({ from }) => pattern.test(from)));
  });
}

test("the library does not import itself by name or from what it compiles to", () => {
  const wrong = imports.filter(({ from }) => from === "luvit" || /^\.{1,2}\/.*\b(dist|build)\//.test(from));
  assert.deepEqual(wrong.map(place), []);
});
