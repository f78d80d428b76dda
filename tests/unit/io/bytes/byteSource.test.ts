import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CountingSource, fileSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { assertRejects, temporaryFolder } from "../support";

const folder = temporaryFolder();

test("a file gives its bytes, also in pieces of many megabytes, and none beyond its end", async () => {
  const path = join(folder, "large");
  const content = Buffer.alloc(17 * 2 ** 20);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
  writeFileSync(path, content);
  const source = await fileSource(path);
  assert.equal(source.size, content.length);
  assert.ok(content.equals(await source.read(0, content.length)));
  assert.ok(content.subarray(5, 9_000_001).equals(await source.read(5, 9_000_001)));
  assert.equal((await source.read(7, 7)).length, 0);
  for (const [start, end] of [
    [0, content.length + 1],
    [9, 8],
    [-1, 4],
    [0.5, 4],
  ])
    await assertRejects(() => source.read(start, end), "bad-file", `bytes ${start} to ${end} are needed`);
  await source.close();
});

test("a file that becomes shorter while it is read is an error, no endless wait", async () => {
  const path = join(folder, "shrinking");
  writeFileSync(path, Buffer.alloc(1000));
  const source = await fileSource(path);
  truncateSync(path, 500);
  await assertRejects(() => source.read(0, 1000), "bad-file", "became shorter while it was read");
  assert.equal((await source.read(0, 500)).length, 500);
  await source.close();
});

test("folders, pipes and devices are no files, and what is not there is missing", async () => {
  const pipe = join(folder, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  for (const path of [folder, pipe, "/dev/zero"])
    await assertRejects(() => fileSource(path), "bad-file", "not a regular file");
  await assertRejects(() => fileSource(join(folder, "none")), "missing-file", "no such file");
  await assertRejects(() => fileSource(join(pipe, "below")), "missing-file", "no such file");
});

test("what memory gives is a copy", async () => {
  const bytes = Buffer.from([1, 2, 3]);
  const read = await memorySource("bytes", bytes).read(0, 3);
  read[0] = 9;
  assert.equal(bytes[0], 1);
});

test("bytes are counted that are read one by one or many at once, and what a source can do it can when counted", async () => {
  const counted = new CountingSource(memorySource("bytes", Uint8Array.of(1, 2, 3, 4, 5)));
  assert.deepEqual([counted.name, counted.size], ["bytes", 5]);
  assert.deepEqual([counted.readMany, counted.keep], [undefined, undefined]);
  await counted.read(0, 3);
  await counted.read(3, 5);
  assert.deepEqual([counted.bytesRead, counted.reads], [5, 2]);
  let closed = 0;
  const many = new CountingSource({
    ...memorySource("many", new Uint8Array(0)),
    readMany: async (ranges, use) => {
      for (const [i, { start, end }] of ranges.entries()) use(i, new Uint8Array(end - start).fill(i));
    },
    close: async () => void closed++,
  });
  const found: [number, number[]][] = [];
  const ranges = [
    { start: 4, end: 6 },
    { start: 0, end: 3 },
  ];
  await many.readMany!(ranges, (i, bytes) => found.push([i, [...bytes]]));
  assert.deepEqual(found, [
    [0, [0, 0]],
    [1, [1, 1, 1]],
  ]);
  assert.deepEqual([many.bytesRead, many.reads], [5, 2]);
  await many.close();
  assert.equal(closed, 1);
});

test("a source keeps its file once, however often it is asked, and it is read when the source is closed", async () => {
  const path = join(folder, "kept");
  writeFileSync(path, "0123456789");
  const source = new CountingSource(await fileSource(path));
  const kept = source.keep!();
  assert.ok(kept && source.keep!() === kept);
  await source.close();
  await assertRejects(() => source.read(0, 1), "bad-file", `${path}: reading failed (`);
  assert.equal(Buffer.from(kept.readNow(3, 5)).toString(), "34");
  await kept.close();
});

test("more bytes than a machine has are an error that says so, with the file's name", async () => {
  const path = join(folder, "hollow");
  writeFileSync(path, "");
  truncateSync(path, 2 ** 43);
  const source = await fileSource(path);
  await assertRejects(
    () => source.read(0, 2 ** 43),
    "bad-file",
    `${path}: ${2 ** 43} bytes are more than this machine can hold`,
  );
  await source.close();
});
