import assert from "node:assert/strict";
import { test } from "node:test";
import { digitsOf, ggufModels, ggufPartsOf } from "../../../../src/io/checkpoint/ggufNames";

const parts = ["a/m-00001-of-00003.gguf", "a/m-00002-of-00003.gguf", "a/m-00003-of-00003.gguf"];

test("any part of a split model names all of them, the first and the last too", () => {
  for (const part of parts) assert.deepEqual(ggufPartsOf(part), parts);
  assert.deepEqual(ggufPartsOf("x-00002-of-00002.gguf")?.length, 2);
});

test("names that only look like parts are models of their own", () => {
  for (const name of [
    "m.gguf",
    "m-00000-of-00003.gguf",
    "m-00004-of-00003.gguf",
    "m-00001-of-00001.gguf",
    "m-1-of-3.gguf",
    "m-00001-of-00003.bin",
  ])
    assert.equal(ggufPartsOf(name), undefined, name);
});

test("a folder's models are named by their first parts, what is no GGUF is none", () => {
  assert.deepEqual(ggufModels([...[...parts].reverse(), "b.gguf", "readme.md"]), [parts[0], "b.gguf"]);
  assert.deepEqual([digitsOf(7), digitsOf(12345)], ["00007", "12345"]);
});
