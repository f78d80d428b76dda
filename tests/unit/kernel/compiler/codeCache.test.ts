import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keepCode, requireCached } from "../../../../src/kernel/compiler/codeCache";
import { failure } from "../../../../src/kernel/executor/failures";
import { stripAnsi } from "../../../../src/notebook/html";
import { temporaryFolder } from "../../../support/temporaryFolder";

test("a large script is loaded as Node would, and its machine code is kept by version for this user alone", (t) => {
  const [folder, cache] = [temporaryFolder("scripts"), temporaryFolder("cache")];
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = cache;
  t.after(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  const path = join(folder, "large.js");
  writeFileSync(join(folder, "part.js"), "module.exports = 'part';");
  writeFileSync(
    path,
    "module.exports = { word: 'grün 🐑', part: require('./part'), here: __dirname, own: __filename, self: this === exports };",
  );
  const expected = { word: "grün 🐑", part: "part", here: folder, own: path, self: true };
  const loaded = requireCached(path, "1.2.3");
  assert.deepEqual(loaded, expected);
  assert.equal(requireCached(path, "1.2.3"), loaded, "once");
  assert.equal(require.cache[path]!.loaded, true);
  const codes = join(cache, "luvit", "code");
  assert.equal(existsSync(codes), false, "not while it is loaded");
  keepCode();
  const name = `large.js-1.2.3-${process.version}-${process.arch}.code`;
  assert.deepEqual(readdirSync(codes), [name]);
  assert.equal(statSync(codes).mode & 0o777, 0o700);
  delete require.cache[path];
  assert.deepEqual(requireCached(path, "1.2.3"), expected);
  writeFileSync(join(codes, name), "taken by somebody");
  keepCode();
  assert.equal(
    readFileSync(join(codes, name), "utf8"),
    "taken by somebody",
    "it had been read, and is not written again",
  );
  const other = join(folder, "other.js");
  writeFileSync(other, "exports.other = () => 2;");
  const code = join(codes, name.replace("large", "other"));
  writeFileSync(code, "no code at all");
  assert.equal((requireCached(other, "1.2.3") as { other(): number }).other(), 2);
  keepCode();
  assert.notEqual(readFileSync(code, "utf8"), "no code at all", "what cannot be read as code is replaced");
  delete require.cache[path];
  requireCached(path, "2.0.0");
  keepCode();
  assert.equal(readdirSync(codes).length, 3);
});

test("a module that is not there is told with what to do, and without where Node has looked", () => {
  const stackless = { stack: undefined };
  for (const [code, word] of [
    ["MODULE_NOT_FOUND", "module"],
    ["ERR_MODULE_NOT_FOUND", "package"],
  ] as const) {
    const error = Object.assign(
      new Error(`Cannot find ${word} 'no-such'\nRequire stack:\n- /a.js\n- /b.js`),
      { code },
    );
    const { evalue, traceback } = failure(error, () => undefined);
    assert.equal(evalue, `Cannot find ${word} 'no-such'`);
    assert.equal(stripAnsi(traceback[0]!), `Error: Cannot find ${word} 'no-such'`);
    assert.match(traceback[1]!, /^hint: the package is not installed: run `!npm install no-such`/);
    assert.ok(!traceback.join().includes("/a.js"));
  }
  const other = Object.assign(new Error("Cannot find module 'no-such'"), { code: "OTHER" });
  assert.ok(
    !failure(other, () => undefined)
      .traceback.join()
      .includes("hint"),
  );
  const odd = Object.assign(new Error("in other words"), { code: "MODULE_NOT_FOUND" });
  assert.match(stripAnsi(failure(odd, () => undefined).traceback[0]!), /^Error: in other words$/);
  const bare = Object.assign(new RangeError("no stack"), stackless);
  assert.deepEqual(
    [failure(bare, () => undefined).ename, failure(bare, () => undefined).evalue],
    ["RangeError", "no stack"],
  );
  for (const [thrown, text] of [
    [null, "null"],
    [undefined, "undefined"],
    [{ a: 1 }, "{ a: 1 }"],
    ["", "''"],
  ] as const) {
    const { ename, evalue, traceback } = failure(thrown, () => undefined);
    assert.deepEqual(
      [ename, evalue, traceback.map(stripAnsi)],
      ["thrown value", text, [`thrown value: ${text}`]],
    );
  }
  const spaced = new Error("one\n\n  \ntwo");
  spaced.stack = "Error: one\n\n  \ntwo\n    at f (/x/a.ts:1:1)";
  assert.deepEqual(failure(spaced, () => undefined).traceback.map(stripAnsi), [
    "Error: one",
    "two",
    "    at f (/x/a.ts:1:1)",
  ]);
  const named = failure(spaced, () => undefined).traceback[0]!;
  assert.equal(named, "\u001b[31mError\u001b[39m: one", "the name alone is red");
});
