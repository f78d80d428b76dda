import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { Calls } from "./calls";
import { valueText } from "./valueText";

test("a value's text tells types, orders and what lies at the end of long arrays", () => {
  assert.equal(
    valueText([1, -0, 1 / 3, "a", null, undefined, 2n]),
    '[1, -0, 0.333333, "a", null, undefined, 2n]',
  );
  assert.equal(valueText(new Map([["a", new Set([1])]])), 'Map {"a" => Set {1}}');
  const long = Array.from({ length: 300 }, (_, i) => i);
  const changed = (entries: Record<number, number>) => Object.assign([...long], entries);
  const texts = [long, [...long].reverse(), changed({ 250: 0 }), changed({ 200: 10, 10: 200 })].map((one) =>
    valueText(one),
  );
  assert.equal(new Set(texts).size, 4);
  assert.notEqual(valueText(new Float32Array(long)), valueText(long));
});

test("an error's text tells its code and its causes", () => {
  const error = Object.assign(new TypeError("b", { cause: new Error("a") }), { code: "c" });
  assert.equal(valueText(error), "TypeError c: b < Error: a");
});

test("a table of calls notes what changes, what is changed and what stays open", async () => {
  const calls = new Calls();
  let count = 0;
  const opened: number[] = [];
  await calls.does("count", () => ++count);
  await calls.of(
    function sorted(list: number[]) {
      return list.sort()[0];
    },
    [2, 1],
  );
  await calls.once("open", () => opened.push(openSync(__filename, "r")));
  for (const file of opened) closeSync(file);
  assert.deepEqual(calls.lines, [
    "count = 1",
    "  again = 2",
    "sorted([2, 1]) = 1",
    "  changes argument 0: [1, 2]",
    "open = 1 (leaves 1 open files)",
  ]);
});
