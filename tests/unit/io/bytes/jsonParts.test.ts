import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { Rng } from "../../../../src/core/rng";
import { forEachJsonPart } from "../../../../src/io/bytes";
import { foreignStart } from "../../../../src/io/bytes/foreignStart";
import { JsonSplitter } from "../../../../src/io/bytes/jsonSplitter";
import { assertRejects, temporaryFolder } from "../support";

const folder = temporaryFolder();

type Part = [key: string | undefined, index: number, value: unknown];

/** The parts of a text that comes in chunks of so many bytes. */
function partsOf(text: string | Uint8Array, chunk = 1 << 20): Part[] {
  const parts: Part[] = [];
  const splitter = new JsonSplitter((key, index, part) => parts.push([key, index, JSON.parse(part)]));
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += chunk) splitter.push(bytes.subarray(at, at + chunk));
  splitter.end();
  return parts;
}

const example = {
  info: { text: 'a "quoted] }" \\ text, {', nested: [[1], { a: [] }] },
  empty: [],
  none: {},
  numbers: [1, -2.5e3, true, null, "x,y"],
  ключ: [{ "a}": "]" }, [1, [2]], "текст"],
  last: 7,
};

test("a JSON text comes in parts, wherever it is cut", () => {
  const expected: Part[] = [
    ["info", 0, example.info],
    ["none", 0, {}],
    ...example.numbers.map((value, i): Part => ["numbers", i, value]),
    ...example.ключ.map((value, i): Part => ["ключ", i, value]),
    ["last", 0, 7],
  ];
  for (const indent of [0, 2]) {
    const text = JSON.stringify(example, null, indent);
    for (const chunk of [1, 2, 3, 7, 64, 1 << 20]) assert.deepEqual(partsOf(text, chunk), expected);
  }
  assert.deepEqual(partsOf("\ufeff [1 ,{}]\n"), [
    [undefined, 0, 1],
    [undefined, 1, {}],
  ]);
  assert.deepEqual(partsOf("{}"), []);
  assert.deepEqual(partsOf("[]"), []);
});

test("what is no JSON is refused where it stops being it", async () => {
  const wrong: [string, string][] = [
    ["", "ends after 0 bytes"],
    ['{"a": [1, 2', "ends"],
    ['{"a": "text', "ends"],
    ["7", "an object or a list is expected"],
    ["{} {}", "nothing more is expected"],
    ['{"a" 1}', ": is expected"],
    ['{"a": }', "a value is expected"],
    ['{"a": [1,]}', "an entry is expected"],
    ['{"a": 1,}', "a key is expected"],
    ['{"a": 1 "b": 2}', ", or } is expected"],
    ['{"a": [1 2]}', ", or ] is expected"],
    ['{"a": [1}', ", or ] is expected"],
    ['{"a": 1, "a": 2}', '"a" is there twice'],
    ['{"\\x": 1}', "is not JSON"],
  ];
  for (const [i, [text, message]] of wrong.entries()) {
    const path = join(folder, `${i}.json`);
    writeFileSync(path, text);
    await assertRejects(() => forEachJsonPart(path, () => {}), "bad-file", message);
    await assertRejects(() => forEachJsonPart(path, () => {}), "bad-file", path);
  }
  await assertRejects(() => forEachJsonPart(join(folder, "none"), () => {}), "missing-file", "no such file");
});

test("what the reader of the parts throws comes as it is", async () => {
  const path = join(folder, "good.json");
  writeFileSync(path, JSON.stringify(example));
  for (const own of [new TypeError("mine"), new LuvitError("bad-file", `${path}: entry 3 is odd`)]) {
    const read = forEachJsonPart(path, () => {
      throw own;
    });
    await assert.rejects(read, (error) => error === own);
  }
});

test("any damage gives parts, an error about a part, or a plain error", () => {
  const rng = new Rng(5);
  const good = Buffer.from(JSON.stringify(example));
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.from(good);
    for (let change = 1 + rng.integer(3); change > 0; change--) {
      bytes[rng.integer(bytes.length)] =
        rng.uniform() < 0.5 ? '[]{}",:\\ 1'.charCodeAt(rng.integer(10)) : rng.integer(256);
    }
    const text = bytes.subarray(0, rng.uniform() < 0.2 ? rng.integer(bytes.length) : bytes.length);
    const isJson = isParsed(text.toString("utf8")); // damaged characters and all
    try {
      partsOf(text, 1 + rng.integer(90));
      read++;
    } catch (error) {
      const { name, message } = error as Error;
      assert.ok(name === "LuvitError" || name === "SyntaxError", (error as Error).stack);
      assert.ok(!isJson || /there twice|not UTF-8/.test(message), `${text} is JSON: ${message}`);
      continue;
    }
    assert.ok(isJson, `${text} is no JSON`);
  }
  assert.ok(read > 1000, `${read}`);
});

function isParsed(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

test("what people have in place of JSON is told by its first bytes, also behind empty lines", () => {
  const starts: [bytes: number[] | string, RegExp | undefined][] = [
    [[0xff, 0xfe, 0x7b, 0], /^UTF-16/],
    [[0xfe, 0xff, 0, 0x7b], /^UTF-16/],
    [[0x1f, 0x8b, 8], /^compressed with gzip/],
    [[0x50, 0x4b, 3, 4], /^a zip archive/],
    [[0x28, 0xb5, 0x2f, 0xfd], /^compressed with zstd/],
    [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], /^compressed with xz/],
    ["<!DOCTYPE html>", /HTML/],
    ["\r\n\n  <html>", /HTML/],
    ["{}", undefined],
    [" [1]", undefined],
    ["", undefined],
    ["PK", undefined],
  ];
  for (const [start, expected] of starts) {
    const told = foreignStart(Uint8Array.from(Buffer.from(start as string)));
    if (expected) assert.match(told ?? "", expected);
    else assert.equal(told, undefined, `${start}`);
  }
});

test("what its reader refuses keeps its code and gets the file's name", async () => {
  const path = join(folder, "refused.json");
  writeFileSync(path, '{ "images": [1] }');
  const refuse = () => {
    throw new LuvitError("bad-dataset", "no box");
  };
  await assertRejects(() => forEachJsonPart(path, refuse), "bad-dataset", `${path}: no box`);
});
