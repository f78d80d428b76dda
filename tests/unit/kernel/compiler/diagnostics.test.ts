import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnosticLines, firstDiagnostic, missingModule } from "../../../../src/kernel/compiler/diagnostics";
import { failure } from "../../../../src/kernel/executor/failures";
import { stripAnsi } from "../../../../src/notebook/html";

test("the first finding is one line with its place, counted from 1", () => {
  const finding = (line: number, character: number, messageText: string) =>
    ({ start: { line, character, offset: 0 }, messageText }) as never;
  assert.equal(firstDiagnostic([finding(0, 0, "no"), finding(1, 1, "nor")]), "1:1 - no");
  assert.equal(firstDiagnostic([finding(4, 7, "no")]), "5:8 - no");
  assert.equal(firstDiagnostic([]), "");
});

test("findings have their line below them, marked from start to end; a detail stands below what it belongs to", () => {
  const source = "let ab = 1;\n\tab = 'x';\nlet multi = (\n";
  const at = (line: number, character: number, length: number, messageText: string, more: object = {}) => ({
    start: { line, character, offset: 100 * line + character },
    end: { line, character: character + length, offset: 0 },
    ...{ messageText, code: 7, category: 1, ...more },
  });
  const lines = (...findings: object[]) => diagnosticLines(findings as never, source, "cell [1]");
  assert.deepEqual(lines(at(0, 4, 2, "no")), [
    "cell [1]:1:5 - error TS7: no",
    "  1 let ab = 1;",
    "        ~~",
  ]);
  assert.deepEqual(lines(at(0, 4, 2, "no", { code: 0 }))[0], "cell [1]:1:5 - error: no");
  assert.deepEqual(lines(at(0, 4, 0, "no"))[2], "        ~", "one mark at least");
  const open = { ...at(2, 4, 0, "no"), end: { line: 3, character: 0, offset: 0 } };
  assert.deepEqual(lines(open)[2], "        ~~~~~~~~~", "to the end of the line where the finding goes on");
  assert.deepEqual(lines(at(0, 4, 2, "no"), at(0, 4, 2, "why")).slice(3), ["    why"]);
  assert.deepEqual(lines(at(7, 0, 1, "beyond")), ["cell [1]:8:1 - error TS7: beyond"]);
});

test("what is found twice is told once, at each place and in each file", () => {
  const finding = (messageText: string, offset: number, fileName?: string) =>
    ({
      start: { line: 0, character: offset, offset },
      end: { line: 0, character: offset, offset },
      ...{ messageText, code: 0, fileName },
    }) as never;
  const heads = (...findings: never[]) =>
    diagnosticLines(findings, "", "cell").filter((line) => !line.startsWith(" "));
  assert.deepEqual(
    heads(
      finding("a", 0),
      finding("a", 0),
      finding("a", 1),
      finding("a", 1, "x.ts"),
      finding("a", 1, "y.ts"),
    ),
    [...["cell:1:1 - error: a", "cell:1:2 - error: a", "x.ts:1:2 - error: a", "y.ts:1:2 - error: a"]],
  );
});

test("a module that is not there is a file, a package with its scope, or of another scheme", () => {
  assert.match(missingModule("./x"), /no such file/);
  assert.match(missingModule("../x"), /no such file/);
  assert.match(missingModule("/x"), /no such file/);
  assert.match(missingModule("npm:x"), /a file names the package without it/);
  assert.match(missingModule("https://x"), /https: is not read here/);
  assert.match(missingModule("a/b/c"), /npm install a`/);
  assert.match(missingModule("@a/b/c"), /npm install @a\/b`/);
  assert.match(missingModule("@a"), /npm install @a`/);
});

test("a failure quotes the cell's line with a mark below its column, and leaves out frames that are not the user's", () => {
  const error = new TypeError("bad");
  const frame = (place: string) => `    at f (${place})`;
  const stack = (...places: string[]) => ["TypeError: bad", ...places.map(frame)].join("\n");
  const shown = (...places: string[]) => {
    error.stack = stack(...places);
    const { ename, evalue, traceback } = failure(error, (name) =>
      name === "cell [2]" ? "let x =\n  boom();\n" : undefined,
    );
    assert.deepEqual([ename, evalue], ["TypeError", "bad"]);
    return traceback.map(stripAnsi);
  };
  const own = frame("cell [2]:2:3");
  assert.deepEqual(shown("node:fs:1:1", "cell [2]:2:3", "/x/node_modules/a.js:1:1"), [
    "TypeError: bad",
    "  2   boom();",
    "      ^",
    own,
  ]);
  assert.deepEqual(shown("cell [2]:2:1")[2], "    ^");
  assert.deepEqual(
    shown("cell [2]:2:99")[2],
    `    ${" ".repeat("  boom();".length)}^`,
    "not beyond the line",
  );
  assert.deepEqual(shown("cell [2]:9:1"), ["TypeError: bad", frame("cell [2]:9:1")]);
  assert.deepEqual(
    shown("cell [3]:1:1"),
    ["TypeError: bad", frame("cell [3]:1:1")],
    "of a cell that is not known",
  );
  assert.deepEqual(shown("/home/a.ts:1:1", "cell [2]:2:3").length, 3, "the uppermost frame is no cell's");
  assert.equal(shown(...Array(20).fill("cell [2]:2:3")).length, 1 + 2 + 12);
  assert.deepEqual(failure(5, () => undefined).traceback.map(stripAnsi), ["thrown value: 5"]);
  assert.equal(failure({ stack: "x" }, () => undefined).ename, "Error");
});
