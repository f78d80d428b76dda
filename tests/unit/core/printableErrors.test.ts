import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { brief } from "../../../src/core/brief";
import type { LuvitError } from "../../../src/core/errors";
import { printableLines } from "../../../src/core/printable";
import { openCheckpoint } from "../../../src/io/checkpoint/checkpoint";
import { temporaryFolder, writeBytes } from "../io/support";

const hostile = "a\x1b[31mred\x1b]0;title\x07\r\b\x9b2J\u202egnp.exe";

test("control characters and turned writing are written out, lines, tabs and letters stay", () => {
  assert.equal(printableLines(hostile), "a\\x1b[31mred\\x1b]0;title\\x07\\r\\x08\\x9b2J\\u{202e}gnp.exe");
  const plain = "été 画像 🙂\n\tnext line";
  assert.equal(printableLines(plain), plain);
  for (let code = 0; code < 0xa0; code++) {
    const shown = printableLines(String.fromCharCode(code));
    const isPlain = code === 9 || code === 10 || (code >= 0x20 && code < 0x7f);
    assert.equal(shown === String.fromCharCode(code), isPlain, `${code}`);
  }
});

test("an error says a file's name without the escape sequences in it", async () => {
  const path = writeBytes(temporaryFolder(), `${hostile.replaceAll("/", "")}.pth`, "no weights");
  await assert.rejects(openCheckpoint(path), (error: LuvitError) => {
    for (const text of [error.message, inspect(error)]) {
      assert.equal(printableLines(text), text);
      assert.ok(text.includes("a\\x1b[31mred"));
    }
    return true;
  });
});

test("a value for a message is short, and there is one for every value", () => {
  assert.equal(brief({ a: [1, "x"] }), '{"a":[1,"x"]}');
  assert.equal(brief(undefined), "nothing");
  assert.equal(brief("x".repeat(200)).length, 81);
  const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const value of [deep, cyclic, 1n]) assert.match(brief(value), /cannot be shown/);
});
