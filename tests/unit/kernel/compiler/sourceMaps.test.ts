import assert from "node:assert/strict";
import { test } from "node:test";
import { chain, lazyMap, parseMap, splitInlineMap } from "../../../../src/kernel/compiler/sourceMaps";

/** A map whose second line's columns from 4 on are line 3, column 2 of the source. */
const json = (mappings = ";IAEE") => JSON.stringify({ version: 3, sources: ["cell"], names: [], mappings });

test("a place in compiled code is one in the source, both counted from 1", () => {
  const locate = chain([parseMap(json())]);
  assert.deepEqual(locate(2, 5), { line: 3, column: 3 });
  assert.deepEqual(locate(2, 9), { line: 3, column: 3 }, "the last mapping before it");
});

test("what the compiler has put before everything else is nowhere in the source", () => {
  assert.equal(chain([parseMap(json())])(1, 1), undefined);
});

test("maps lead through each other, and are made when the first place is asked for, once", () => {
  const second = parseMap(json(";;EAAA")); // line 3, column 2 is line 1, column 0
  assert.deepEqual(chain([parseMap(json()), second])(2, 5), { line: 1, column: 1 });
  let made = 0;
  const locate = lazyMap(() => {
    made++;
    return json();
  });
  assert.equal(made, 0);
  assert.deepEqual([locate(2, 5), locate(2, 6)], [chain([parseMap(json())])(2, 5), { line: 3, column: 3 }]);
  assert.equal(made, 1);
});

test("a map at the end of code is taken off it", () => {
  const code = "exports.a = 1;\n";
  const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(json()).toString("base64")}\n`;
  const split = splitInlineMap(code + inline);
  assert.equal(split.code, code);
  assert.deepEqual(chain([split.map!])(2, 5), { line: 3, column: 3 });
  assert.deepEqual(splitInlineMap(code), { code });
});
