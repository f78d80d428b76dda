import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { fileSystemPath, textOfName } from "../../../src/core/fileNames";
import { printable, printableLines } from "../../../src/core/printable";
import { Rng } from "../../../src/core/rng";

describe("a name from outside", () => {
  it("shows what a terminal would obey", () => {
    assert.equal(printable("a\x1b[2Jb\x07\x9b31m.png"), "a\\x1b[2Jb\\x07\\x9b31m.png");
    assert.equal(printable("one\ntwo\r\tthree\x7f\0"), "one\\ntwo\\r\\tthree\\x7f\\x00");
    assert.equal(printable("gpj.\u202eexe\u2066\u2028"), "gpj.\\u{202e}exe\\u{2066}\\u{2028}");
    assert.equal(printable(textOfName(Buffer.from("caf\xe9", "latin1"))), "caf\\xe9");
    assert.equal(printable("a\u2029b\u200ec\u061cd\u2069"), "a\\u{2029}b\\u{200e}c\\u{61c}d\\u{2069}");
    assert.equal(printable("\ud83d"), "\\u{d83d}");
  });

  it("stays as it is where it is only foreign", () => {
    for (const name of ["naïve 写真 🐈.png", "शब्द", "עברית", "a\\b'c\"d$(e)", "👩‍🚀"])
      assert.equal(printable(name), name);
  });

  it("cannot steer a terminal through an error either, whose lines stay lines", () => {
    const error = new LuvitError("bad-image", "two lines:\n  \x1b]0;title\x07.png");
    assert.equal(error.message, "two lines:\n  \\x1b]0;title\\x07.png");
    assert.equal(printableLines(error.message), error.message);
  });
});

describe("file names as text", () => {
  it("are those of UTF-8, byte by byte where they are not, and lead back to the same bytes", () => {
    const text = (bytes: number[]) => textOfName(Uint8Array.from(bytes));
    assert.equal(text([0x63, 0xc3, 0xa9, 0xe9]), "cé\udce9");
    assert.equal(text([0xf0, 0x9f, 0x90, 0x88, 0xf0, 0x9f]), "🐈\udcf0\udc9f");
    assert.equal(text([0xc0, 0xaf, 0xed, 0xa0, 0x80]), "\udcc0\udcaf\udced\udca0\udc80");
    assert.equal(text([0xef, 0xbb, 0xbf, 0x61]), "\ufeffa");
    const rng = new Rng(3);
    for (let i = 0; i < 2000; i++) {
      const bytes = Buffer.from(Array.from({ length: rng.integer(12) }, () => 1 + rng.integer(255)));
      const path = fileSystemPath(textOfName(bytes));
      assert.deepEqual(typeof path === "string" ? Buffer.from(path) : path, bytes);
    }
  });

  it("of one spelling are never two", () => {
    const rng = new Rng(4);
    const names = new Map<string, string>();
    for (let i = 0; i < 5000; i++) {
      const bytes = Buffer.from(Array.from({ length: 3 }, () => 0xb0 + rng.integer(0x50)));
      const text = textOfName(bytes);
      assert.equal(names.get(text) ?? bytes.toString("hex"), bytes.toString("hex"));
      names.set(text, bytes.toString("hex"));
    }
  });
});
