import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import ts from "typescript";
import { entriesOf, expectFile } from "../../../src/commandLine/folders";
import { LuvitError } from "../../../src/core/errors";
import { packageRoot } from "../../../src/core/packageRoot";
import { reading, TableFile } from "../../../src/data/tables/tableFile";
import { loadAddon } from "../../../src/distributed/addon";
import { fileSource, forEachJsonPart } from "../../../src/io/bytes";

/* An error that is made of another one keeps it as its cause. */

const folder = mkdtempSync(join(tmpdir(), "luvit-causes-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "file");
writeFileSync(file, '{"a": ');

/** What a catch calls the error that came to it: `catch (x)` or `.catch((x) => …)`. */
function caughtName(node: ts.Node): string | undefined {
  if (ts.isCatchClause(node)) return node.variableDeclaration?.name.getText();
  if (!ts.isArrowFunction(node) || !ts.isCallExpression(node.parent)) return undefined;
  const { expression } = node.parent;
  const isCatch = ts.isPropertyAccessExpression(expression) && expression.name.text === "catch";
  return isCatch ? node.parameters[0]?.name.getText() : undefined;
}

/** Places that make a LuvitError where another error was caught: those that keep it, and those that lose it. */
function placesOf(path: string): { kept: number; lost: string[] } {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
  const lost: string[] = [];
  let kept = 0;
  const visit = (node: ts.Node, outer: string | undefined): void => {
    const caught = caughtName(node) ?? (ts.isFunctionLike(node) ? undefined : outer);
    if (caught && ts.isNewExpression(node) && node.expression.getText() === "LuvitError") {
      const options = node.arguments?.[2]?.getText().replace(/[\s{},]/g, "");
      if (options === `cause:${caught}` || (caught === "cause" && options === "cause")) kept++;
      else lost.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    }
    ts.forEachChild(node, (child) => visit(child, caught));
  };
  visit(source, undefined);
  return { kept, lost };
}

test("wherever an error is caught and a LuvitError made of it, it is the cause", () => {
  const root = join(packageRoot(), "src");
  const paths = readdirSync(root, { recursive: true })
    .map((path) => join(root, `${path}`))
    .filter((path) => path.endsWith(".ts") && /catch \(|\.catch\(/.test(readFileSync(path, "utf8")));
  const places = paths.map(placesOf);
  assert.deepEqual(
    places.flatMap(({ lost }) => lost),
    [],
  );
  assert.ok(places.reduce((sum, { kept }) => sum + kept, 0) > 20);
});

const failing: [what: string, fails: () => unknown, cause: string][] = [
  ["a folder below a file", () => entriesOf(join(file, "x")), "ENOTDIR"],
  ["no file", () => expectFile(join(folder, "none"), "a text"), "ENOENT"],
  ["no table", () => TableFile.opened(join(folder, "none"), async () => 1), "ENOENT"],
  ["a file that is not there", () => fileSource(join(folder, "none")), "ENOENT"],
  ["damage in a table", () => reading("x", "a table", () => Promise.reject(new RangeError("far"))), "far"],
  ["JSON that ends", () => forEachJsonPart(file, () => {}), "after 6 bytes"],
  ["an addon that does not load", () => loadAddon(join(packageRoot(), "package.json", "..", "NOTICE")), ""],
];

for (const [what, fails, text] of failing) {
  test(`${what}: the error says where, its cause says what`, async () => {
    await assert.rejects(
      async () => fails(),
      (error) => {
        assert.ok(error instanceof LuvitError && error.cause instanceof Error, String(error));
        const { code, message } = error.cause as NodeJS.ErrnoException;
        assert.ok(code === text || message.includes(text), message);
        return true;
      },
    );
  });
}
