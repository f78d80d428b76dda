import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import * as ts from "typescript";
import * as library from "../src";

/*
 * The public names of the library, one per line in tests/api.txt, so that every change of them is seen in a diff.
 * Regenerate the file with UPDATE_API=1.
 */

const root = repository(__dirname);
const snapshot = join(root, "tests", "api.txt");

function repository(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
}

const undocumented: string[] = [];

/** `name`, and for namespaces `namespace.member`; what exists only for the type checker is marked. */
function publicNames(): string[] {
  const entry = join(root, "src", "index.ts");
  const program = ts.createProgram([entry], { noLib: true, types: [], module: ts.ModuleKind.CommonJS });
  const checker = program.getTypeChecker();
  const exportsOf = (symbol: ts.Symbol) => checker.getExportsOfModule(symbol);
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const describe = (symbol: ts.Symbol, prefix: string): string[] => {
    const name = prefix + symbol.getName();
    const target = resolved(symbol);
    const isOurs = target.declarations?.every((d) => !d.getSourceFile().fileName.includes("node_modules"));
    if (target.flags & ts.SymbolFlags.ValueModule && isOurs) {
      return [`${name}.*`, ...exportsOf(target).flatMap((member) => describe(member, `${name}.`))];
    }
    if (isOurs && target.getDocumentationComment(checker).length === 0) undocumented.push(name);
    return [target.flags & ts.SymbolFlags.Value ? name : `${name} (type)`];
  };
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
  return exportsOf(module)
    .flatMap((symbol) => describe(symbol, ""))
    .sort();
}

const names = publicNames();

test("the public names are those of tests/api.txt", () => {
  if (process.env.UPDATE_API) writeFileSync(snapshot, `${names.join("\n")}\n`);
  const expected = readFileSync(snapshot, "utf8").trimEnd().split("\n");
  const added = names.filter((name) => !expected.includes(name));
  const removed = expected.filter((name) => !names.includes(name));
  assert.deepEqual({ added, removed }, { added: [], removed: [] }, "run with UPDATE_API=1 if this is meant");
});

test("every public value of the type checker's is there when the library is loaded, and no other", () => {
  const values = names.filter((name) => !name.endsWith(" (type)"));
  const namespaces = values.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -2));
  const loaded = (value: Record<string, unknown>, prefix: string): string[] =>
    Object.keys(value).flatMap((key) => {
      const name = prefix + key;
      return namespaces.includes(name)
        ? [`${name}.*`, ...loaded(value[key] as Record<string, unknown>, `${name}.`)]
        : [name];
    });
  assert.deepEqual(loaded(library, "").sort(), values);
});

test("every public name says what it is", () => {
  assert.deepEqual(undocumented, []);
});
