import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { Rng } from "../../../../src/core/rng";
import { bytes, readTokenizer } from "../../../../src/io/tokenizer";
import { isLuvitError } from "../../nn/support";
import { repository } from "../support";

const fixtures = join(repository, "tests", "unit", "io", "tokenizer", "fixtures");
const folder = mkdtempSync(join(tmpdir(), "luvit-tokenizer-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Expected {
  size: number;
  texts: { text: string; ids: number[]; whole: number[]; decoded: string }[];
}

for (const family of ["llama", "qwen"]) {
  test(`tokens and texts are those of Hugging Face's tokenizers: ${family}`, async () => {
    const place = join(fixtures, family);
    const expected = JSON.parse(readFileSync(join(place, "expected.json"), "utf8")) as Expected;
    const tokenizer = await readTokenizer(place);
    assert.equal(tokenizer.size, expected.size);
    for (const { text, ids, whole, decoded } of expected.texts) {
      assert.deepEqual(tokenizer.encode(text), ids, text);
      assert.deepEqual([...tokenizer.begin, ...ids], whole, text);
      assert.equal(tokenizer.decode(ids), decoded, text);
    }
  });
}

test("a file is as good as its folder", async () => {
  const { source } = await readTokenizer(join(fixtures, "qwen", "tokenizer.json"));
  assert.equal(source, join(fixtures, "qwen", "tokenizer.json"));
});

test("bytes are UTF-8, and those of other tokens are left out", () => {
  assert.deepEqual(bytes.encode("é\n"), [0xc3, 0xa9, 10]);
  assert.equal(bytes.decode([104, 105, 300, 0xc3, 0xa9]), "hié");
});

test("what is no tokenizer is refused by name, however it was damaged", async () => {
  await assert.rejects(
    readTokenizer(join(folder, "none")),
    isLuvitError("missing-file", "none", "tokenizer.json"),
  );
  const whole = readFileSync(join(fixtures, "llama", "tokenizer.json"), "utf8");
  const path = join(folder, "tokenizer.json");
  const rng = new Rng(5);
  for (const text of [
    "",
    "[]",
    "{}",
    '{"model": null}',
    '{"model": {"type": "BPE", "vocab": 3}}',
    whole.slice(0, 200),
  ]) {
    writeFileSync(path, text);
    await assert.rejects(readTokenizer(path), isLuvitError("bad-file", path));
  }
  for (let i = 0; i < 60; i++) {
    const at = rng.integer(whole.length);
    writeFileSync(path, whole.slice(0, at) + String.fromCharCode(32 + rng.integer(90)) + whole.slice(at + 1));
    await readTokenizer(path).then(
      (tokenizer) => tokenizer.encode("a red star"),
      (error) => assert.ok(error instanceof LuvitError, String(error)),
    );
  }
});

test("what lies beside a tokenizer decides with it, and one that is damaged is named", async () => {
  const place = mkdtempSync(join(folder, "beside-"));
  cpSync(join(fixtures, "llama", "tokenizer.json"), join(place, "tokenizer.json"));
  writeFileSync(join(place, "tokenizer_config.json"), "{");
  await assert.rejects(readTokenizer(place), isLuvitError("bad-file", "tokenizer_config.json"));
  writeFileSync(join(place, "tokenizer_config.json"), "{}");
  assert.equal((await readTokenizer(place)).source, join(place, "tokenizer.json"));
});

test("a text keeps its spaces before signs, and no tokens are no text", async () => {
  for (const family of ["llama", "qwen"]) {
    const tokenizer = await readTokenizer(join(fixtures, family));
    for (const text of ["a red star .", "it 's , no ?", "do n't !"])
      assert.equal(tokenizer.decode(tokenizer.encode(text)).trim(), text, family);
    assert.equal(tokenizer.decode([]), "");
  }
  assert.deepEqual([bytes.size, bytes.begin, bytes.source], [256, [], "bytes"]);
  assert.equal(bytes.decode([255, 256, 97]), "\ufffda", "256 is none of them");
});

test("a tokenizer is as large as its largest number, whatever numbers are left out, and puts before a text what its file says", async () => {
  const { added_tokens, post_processor, ...rest } = JSON.parse(
    readFileSync(join(fixtures, "llama", "tokenizer.json"), "utf8"),
  );
  const path = join(folder, "gaps.json");
  const read = async (last: number, single: object[]) => {
    const added = added_tokens.map((token: { id: number }) =>
      token.id === 390 ? { ...token, id: last } : token,
    );
    const template = { ...post_processor, single };
    writeFileSync(path, JSON.stringify({ ...rest, added_tokens: added, post_processor: template }));
    return readTokenizer(path);
  };
  const text = { Sequence: { id: "A", type_id: 0 } };
  const sign = { SpecialToken: { id: "<s>", type_id: 0 } };
  for (const [last, single, begin] of [
    [390, [sign, text], [1]],
    [1000, [sign, sign, text, sign], [1, 1]],
    [5000, [text, sign], []],
    [391, [text], []],
  ] as const) {
    const tokenizer = await read(last, [...single]);
    assert.equal(tokenizer.size, last + 1);
    assert.deepEqual(tokenizer.begin, begin);
    assert.deepEqual(tokenizer.encode("<image>").at(-1), last);
    assert.ok(!tokenizer.encode("a red star").includes(1), "a text alone has none of them");
  }
});
