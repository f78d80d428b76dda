import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { test } from "node:test";
import * as ts from "typescript";

/** Folders of src, lowest first. A folder imports from rows above its own, not from its own row or below. */
const rows = [
  ["core"],
  ["distributed"],
  ["graph"],
  ["engine"],
  ["io", "nn"],
  ["models", "data", "optim"],
  ["train"],
  ["analysis"],
  ["figures"],
  ["course"],
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
  [
    /^typescript-for-cells(\/|$)/,
    (file) => file === "kernel/compiler/typescript.ts",
    "src/kernel/compiler/typescript.ts",
  ],
  [/^(@huggingface\/hub|undici)$/, (file) => file.startsWith("io/hub/"), "src/io/hub"],
  [
    /^zod(\/|$)/,
    (file) => file.startsWith("core/options/") || file === "models/configSchema.ts",
    "src/core/options and src/models/configSchema.ts",
  ],
  [/^@huggingface\/tokenizers$/, (file) => file.startsWith("io/tokenizer/"), "src/io/tokenizer"],
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

/** Rooms within a folder; what lies in one is imported through its index.ts from outside. */
const rooms = sourceFiles()
  .filter((file) => /^(io|data)\/[^/]+\/index\.ts$/.test(file))
  .map((file) => posix.dirname(file));

test("rooms of io and data are entered through their index", () => {
  assert.ok(rooms.length > 12, rooms.join(", "));
  const wrong = imports.filter(({ file, from }) => {
    if (!from.startsWith(".")) return false;
    const target = posix.join(posix.dirname(file), from);
    return rooms.some(
      (room) => target.startsWith(`${room}/`) && !file.startsWith(`${room}/`) && target !== `${room}/index`,
    );
  });
  assert.deepEqual(wrong.map(place), []);
});

/** Files that import each other, directly or through others; what is inherent in what they do is named here. */
const inherentCircles = [["nn/loadStateDict.ts", "nn/module.ts"]];

test("no files import each other in a circle, not even types, but the inherent ones", () => {
  const files = new Set(sourceFiles());
  const edges = new Map<string, string[]>([...files].map((file) => [file, []]));
  for (const { file, from } of imports) {
    const target = posix.join(posix.dirname(file), from);
    const found = [`${target}.ts`, `${target}/index.ts`].find((name) => files.has(name));
    if (from.startsWith(".") && found) edges.get(file)!.push(found);
  }
  assert.deepEqual(circles(edges), inherentCircles);
});

/** Strongly connected files, by Tarjan's algorithm. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of edges.get(file)!) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return found;
}

test("no file of src has more than 260 lines", () => {
  const long = sourceFiles().filter(
    (file) => readFileSync(join(source, file), "utf8").split("\n").length > 261,
  );
  assert.deepEqual(long, []);
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
