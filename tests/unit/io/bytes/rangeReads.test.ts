import assert from "node:assert/strict";
import { test } from "node:test";
import { CountingSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { readRanges } from "../../../../src/io/bytes/rangeReads";

const content = Uint8Array.from({ length: 100 }, (_, i) => i);
const range = (start: number, end: number) => ({ start, end, tag: `${start}-${end}` });

async function read(ranges: ReturnType<typeof range>[]) {
  const source = new CountingSource(memorySource("content", content));
  const found = new Map<string, Uint8Array>();
  await readRanges(source, ranges, (tag, bytes) => void found.set(tag, bytes));
  return { found, reads: source.reads };
}

test("every range gets its bytes, ranges that touch or overlap by one read", async () => {
  const ranges = [range(50, 60), range(0, 10), range(10, 20), range(15, 30), range(90, 100), range(12, 14)];
  const { found, reads } = await read(ranges);
  assert.equal(reads, 3);
  assert.equal(found.size, ranges.length);
  for (const { start, end, tag } of ranges)
    assert.deepEqual([...found.get(tag)!], [...content.subarray(start, end)], tag);
});

test("every range has memory of its own: keeping one keeps no other, and changing one changes no other", async () => {
  const { found } = await read([range(0, 10), range(5, 20), range(20, 21)]);
  for (const bytes of found.values()) assert.equal(bytes.buffer.byteLength, bytes.length);
  found.get("0-10")!.fill(255);
  assert.equal(found.get("5-20")![0], 5);
  assert.equal(content[5], 5);
});

test("no range, no read; one that leaves the source is refused", async () => {
  assert.equal((await read([])).reads, 0);
  await assert.rejects(read([range(0, 10), range(95, 101)]), /bytes 95 to 101 are needed, the file has 100/);
});
