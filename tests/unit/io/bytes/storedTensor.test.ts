import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { hasSpecialShortFloats } from "../../../../src/core/shortFloats";
import { fileSource } from "../../../../src/io/bytes/byteSource";
import { describeNonFinite } from "../../../../src/io/bytes/finiteness";
import { StoredTensor } from "../../../../src/io/bytes/storedTensor";
import { Parameter } from "../../../../src/nn/parameter";
import { temporaryFolder } from "../support";

const bytesOf = (patterns: Uint16Array) => new Uint8Array(patterns.buffer.slice(0));

/** The value of a half by the definition of IEEE 754: sign, five bits of exponent, ten of fraction. */
function halfValue(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 31;
  const fraction = pattern & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test("every float16 and bfloat16 pattern has the value its bits define", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const halves = new StoredTensor([65536], "F16", bytesOf(patterns)).data;
  const bfloats = new StoredTensor([65536], "BF16", bytesOf(patterns)).data;
  const word = new DataView(new ArrayBuffer(4));
  for (const pattern of patterns) {
    assert.ok(Object.is(halves[pattern], halfValue(pattern)), `half ${pattern}: ${halves[pattern]}`);
    word.setUint32(0, pattern * 65536);
    assert.ok(Object.is(bfloats[pattern], word.getFloat32(0)), `bfloat ${pattern}`);
  }
});

test("numbers are widened alike at every length and place of their bytes", () => {
  const patterns = Uint16Array.from({ length: 70_001 }, (_, i) => (i * 40503) & 0x7bff);
  const all = new StoredTensor([70_001], "F16", bytesOf(patterns)).data;
  for (const length of [0, 1, 7, 8, 9, 32767, 32768, 32769, 70_001]) {
    const shifted = new Uint8Array(3 + 2 * length);
    shifted.set(bytesOf(patterns).subarray(0, 2 * length), 3);
    const { data } = new StoredTensor([length], "F16", shifted.subarray(3));
    assert.deepEqual(data, all.slice(0, length));
  }
});

test("an infinity or a NaN is found wherever it stands, and nothing else is taken for one", () => {
  for (const [dtype, infinity, nan, largest] of [
    ["F16", 0x7c00, 0x7e01, 0x7bff],
    ["BF16", 0xff80, 0x7fc0, 0x7f7f],
  ] as const) {
    for (const at of [0, 5, 32767, 32768, 40_002]) {
      const patterns = new Uint16Array(40_003).fill(largest);
      assert.equal(hasSpecialShortFloats(bytesOf(patterns), dtype), false);
      for (const special of [infinity, nan]) {
        patterns[at] = special;
        assert.equal(hasSpecialShortFloats(bytesOf(patterns), dtype), true, `${dtype} at ${at}`);
      }
    }
  }
  for (const length of [1, 3, 7, 8, 9, 23, 24, 25]) {
    const infinite = new Uint16Array(64).fill(0x7c00);
    assert.equal(hasSpecialShortFloats(bytesOf(infinite), "F16"), true);
    const next = hasSpecialShortFloats(bytesOf(new Uint16Array(length)), "F16");
    assert.equal(next, false, `what was looked at before counts for ${length} that are finite`);
  }
  const tensor = new StoredTensor([3], "F16", bytesOf(Uint16Array.of(0x7c00, 0x7e00, 0x3c00)));
  assert.equal(describeNonFinite(tensor), "1 NaN and 1 infinite of 3 values");
});

test("a short tensor stays as stored while it is only looked at, and is one array from the first use of its data", () => {
  const tensor = new StoredTensor([2], "BF16", bytesOf(Uint16Array.of(0x3f80, 0xc000)));
  assert.deepEqual([...tensor.peek()], [1, -2]);
  assert.notEqual(tensor.peek(), tensor.peek());
  const { data } = tensor;
  data[0] = 5;
  assert.equal(tensor.data, data);
  assert.equal(tensor.peek(), data);
});

test("a parameter loaded from a short tensor has its values, and frees them with its last owner", async () => {
  const parameter = new Parameter([2], () => {}, 0);
  parameter.load(new StoredTensor([2], "F16", bytesOf(Uint16Array.of(0x3c00, 0xc000))));
  assert.deepEqual([...(await parameter.peek())], [1, -2]);
  const copy = await parameter.clone();
  assert.deepEqual([...(await copy.read()).data], [1, -2]);
  parameter.dispose();
  await assert.rejects(parameter.peek(), /was disposed/);
});

test("long reads of a file give its bytes", async () => {
  const rng = new Rng(3);
  const words = Uint32Array.from({ length: 5_000_001 }, () => rng.uint32());
  const path = join(temporaryFolder(), "long");
  writeFileSync(path, words);
  const source = await fileSource(path);
  const bytes = await source.read(5, source.size - 3);
  await source.close();
  const expected = new Uint8Array(words.buffer, 5, bytes.length);
  assert.equal(Buffer.compare(bytes, expected), 0);
});
