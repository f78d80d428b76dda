import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/* How comments of the library name what is thrown and where things were read. */

function repository(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
}

const source = join(repository(__dirname), "src");
const files = readdirSync(source, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"));
const texts = new Map(files.map((name) => [name, readFileSync(join(source, name), "utf8")]));
const codes = [...texts.get(join("core", "errors.ts"))!.matchAll(/^ {2}\| "([a-z-]+)"/gm)].map(
  ([, code]) => code,
);

/** Lines of documentation comments with their place. */
const commentLines = [...texts].flatMap(([name, text]) =>
  [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(([comment]) =>
    comment
      .split("\n")
      .map((line) => ({ place: `src/${name}`, line: line.replace(/^[\s/*]+|[\s*/]+$/g, "") })),
  ),
);

test("what is thrown is written @throws LuvitError(codes) and when", () => {
  const form = /^@throws (LuvitError(\("[a-z-]+"( \| "[a-z-]+")*\))?|[A-Z]\w+)(:| |$)/;
  const wrong = commentLines.filter(({ line }) => line.includes("@throws") && !form.test(line));
  assert.deepEqual(wrong, []);
});

test("what is thrown is not told in the middle of other words", () => {
  const wrong = commentLines.filter(({ line }) => /\bThrows( (one|a))?( LuvitError| "|$)/.test(line));
  assert.deepEqual(wrong, []);
});

test("codes of errors in comments are codes there are", () => {
  assert.ok(codes.length > 5, "the codes were not found in core/errors.ts");
  const named = commentLines.flatMap(({ place, line }) =>
    [...line.matchAll(/LuvitError\(([^)]*)\)/g)].flatMap(([, list]) =>
      [...list.matchAll(/"([a-z-]+)"/g)].map(([, code]) => ({ place, code })),
    ),
  );
  assert.ok(named.length > 50);
  assert.deepEqual(
    named.filter(({ code }) => !codes.includes(code)),
    [],
  );
});

test("where something was read is written Reference: and the place", () => {
  const others = /^(Source|See|Paper|From|Refs?|References?\s+to)\s*:/;
  const wrong = commentLines.filter(({ line }) => others.test(line) || /\b(Reference:$|Source: )/.test(line));
  assert.deepEqual(wrong, []);
});

test("the map at the top of mae.ts names files and functions there are", () => {
  const map = /^\/\*[\s\S]*?\*\//.exec(readFileSync(join(source, "models", "mae.ts"), "utf8"))![0];
  assert.ok(map.split("\n").length <= 15);
  const files = [...map.matchAll(/[a-z]+\/[A-Za-z]+\.ts/g)].map(([file]) => file);
  assert.ok(files.length >= 8);
  for (const file of files) assert.ok(existsSync(join(source, file)), file);
  for (const [, file, name] of map.matchAll(/([a-z]+\/[A-Za-z]+\.ts) \((\w+)\)/g))
    assert.match(readFileSync(join(source, file), "utf8"), new RegExp(`export (function|class) ${name}\\b`));
});
