import assert from "node:assert/strict";
import { statSync, truncateSync } from "node:fs";
import { test } from "node:test";
import { readJsonObject, repeatedKeys } from "../../../../src/io/bytes";
import { assertRejects, temporaryFolder, writeBytes } from "../support";

const folder = temporaryFolder();
const read = (content: string | Uint8Array) => readJsonObject(writeBytes(folder, "a.json", content));

test("an object is read with its letters, after a byte order mark too, and its bytes are counted", async () => {
  const value = { é: ["中", "\u{1f600}"], "": null };
  const text = JSON.stringify(value);
  const bytes = Buffer.from(text);
  assert.ok(bytes.length > text.length);
  assert.deepEqual(await read(bytes), { value, bytesRead: bytes.length });
  assert.deepEqual(await read(`\ufeff${text}`), { value, bytesRead: bytes.length + 3 });
  assert.deepEqual((await read(`\r\n ${text}\t\n`)).value, value);
});

test("what is JSON but no object, no JSON, or empty is refused with the file's name", async () => {
  for (const text of ["[]", "[{}]", "null", '"a"', "7", "true"])
    await assertRejects(() => read(text), "bad-file", "a.json: expected a JSON object");
  for (const text of ["", "{", "{} {}", "{a: 1}", "{'a': 1}", '{"a": 1,}', '{"a": NaN}'])
    await assertRejects(() => read(text), "bad-file", /a\.json: not JSON \(.{10,}\)/);
  await assertRejects(() => readJsonObject(`${folder}/none.json`), "missing-file", "no such file");
});

test("64 MiB are read at most, of which more is said than that they are no JSON", async () => {
  const path = writeBytes(folder, "long.json", "");
  truncateSync(path, 2 ** 26 + 1);
  assert.equal(statSync(path).size, 2 ** 26 + 1);
  await assertRejects(() => readJsonObject(path), "bad-file", "long.json: 67108865 bytes of JSON");
});

test("a long object is an object", async () => {
  const value = { text: "x".repeat(3 * 2 ** 20) };
  assert.deepEqual((await read(JSON.stringify(value))).value, value);
});

test("keys are told that an object has twice, as their paths, however they are written", () => {
  const expected: [text: string, repeated: string[]][] = [
    ['{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}', []],
    ['{"a": 1, "a": 2}', ["a"]],
    ['{"a": {"b": 1, "c": 2, "b": 3}}', ["a.b"]],
    ['{"a": {"b": [{"c": 1}, {"d": 1, "d": 2}]}}', ["a.b..d"]],
    ['{"a": 1, "\\u0061": 2}', ["a"]],
    ['{"\\"": 1, "\\u0022": 2}', ['"']],
    ['{"a\\\\": 1, "b": "\\\\", "a\\\\": 2}', ["a\\"]],
    ['{"a": "a", "b": "{\\"b\\": 1, \\"b\\": 2}", "c": "x: y"}', []],
    ['{"a": 1, "a": 2, "a": 3}', ["a", "a"]],
    ['{"toString": 1, "__proto__": 2}', []],
    ['["a", "a"]', []],
  ];
  for (const [text, repeated] of expected) {
    JSON.parse(text);
    assert.deepEqual(repeatedKeys(text), repeated, text);
  }
});
