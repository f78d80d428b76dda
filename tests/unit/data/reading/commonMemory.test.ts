import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { CommonMemory } from "../../../../src/data/reading/commonMemory";

test("memory that threads share has a region for each and fills the gaps that were given back", () => {
  const memory = new CommonMemory(2);
  const [first, second] = [memory.region(0), memory.region(1)];
  assert.equal(second.start, first.end);
  const [a, b, c] = [1000, 500, 1].map((length) => memory.take(length)!);
  assert.deepEqual([a.length, b.length, c.length], [1000, 500, 1]);
  assert.ok(second.end <= a.byteOffset);
  assert.ok(a.byteOffset + a.byteLength <= b.byteOffset && b.byteOffset + b.byteLength <= c.byteOffset);
  memory.giveBack(b);
  assert.ok(memory.take(600)!.byteOffset > c.byteOffset);
  assert.equal(memory.take(500)!.byteOffset, b.byteOffset);
  memory.giveBack(a);
  memory.giveBack(a);
  assert.equal(memory.take(1000)!.byteOffset, a.byteOffset);
});

test("memory that threads share gives nothing where there is no room left", () => {
  const memory = new CommonMemory(1);
  assert.equal(memory.take(2 ** 29), undefined);
  const half = 2 ** 27;
  const [one, two] = [memory.take(half), memory.take(half)];
  assert.ok(one && two);
  assert.equal(memory.take(1), undefined);
  memory.giveBack(one);
  assert.equal(memory.take(half)!.byteOffset, one.byteOffset);
  memory.giveBack(new Float32Array(4));
});

test("memory that threads share gives the first gap that is large enough, and nothing to two at a time", () => {
  const memory = new CommonMemory(3);
  const begin = memory.region(2).end;
  const rng = new Rng(7);
  const held: { start: number; end: number; numbers: Float32Array }[] = [];
  for (let step = 0; step < 600; step++) {
    if (held.length > 0 && rng.uniform() < 0.5) {
      const [gone] = held.splice(rng.integer(held.length), 1);
      memory.giveBack(gone.numbers);
      continue;
    }
    const length = 1 + rng.integer(4) * 16 + rng.integer(17);
    const bytes = Math.ceil((4 * length) / 64) * 64;
    const ends = [begin, ...held.map(({ end }) => end)].sort((a, b) => a - b);
    const start = ends.find((end) => held.every((one) => end + bytes <= one.start || end >= one.end))!;
    const numbers = memory.take(length)!;
    assert.deepEqual([numbers.byteOffset, numbers.length], [start, length], `step ${step}`);
    held.push({ start, end: start + bytes, numbers });
  }
});
