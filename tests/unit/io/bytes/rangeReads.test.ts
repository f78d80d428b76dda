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

test("nothing between ranges is read, and what is joined is a megabyte at most", async () => {
  const most = 2 ** 20;
  const bytes = new Uint8Array(6 * most).map((_, i) => (i * 31) >> 7);
  const sizesOf = async (ranges: ReturnType<typeof range>[]) => {
    const inner = memorySource("large", bytes);
    const sizes: number[] = [];
    const source = {
      ...inner,
      read: (start: number, end: number) => {
        sizes.push(end - start);
        return inner.read(start, end);
      },
    };
    let found = 0;
    await readRanges(source, ranges, (tag, own) => {
      const [start, end] = tag.split("-").map(Number);
      assert.ok(Buffer.from(own).equals(Buffer.from(bytes.subarray(start, end))), tag);
      found++;
    });
    assert.equal(found, ranges.length);
    return sizes;
  };
  assert.deepEqual(
    await sizesOf([range(50, 60), range(0, 10), range(60, 70), range(5, 20), range(90, 91)]),
    [20, 20, 1],
  );
  assert.deepEqual(
    await sizesOf([range(0, 40), range(5, 10), range(30, 50), range(51, 52)]),
    [50, 1],
    "one within another",
  );
  assert.deepEqual(await sizesOf([range(8, most - 2), range(most - 2, most + 8)]), [most]);
  assert.deepEqual(await sizesOf([range(8, most - 2), range(most - 2, most + 9)]), [most - 10, 11]);
  const pieces = [0, 1, 2, 3].map((i) => range(i * most, (i + 1) * most));
  assert.deepEqual(await sizesOf(pieces), [most, most, most, most]);
});

test("no range, no read; one that leaves the source is refused", async () => {
  assert.equal((await read([])).reads, 0);
  await assert.rejects(read([range(0, 10), range(95, 101)]), /bytes 95 to 101 are needed, the file has 100/);
});
