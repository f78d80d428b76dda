import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { Int32, Table, tableToIPC, vectorFromArray } from "apache-arrow";
import { scanMessages } from "../../../../src/data/tables/arrowMessages";
import { RecentGroups } from "../../../../src/data/tables/recentGroups";
import { TableFile } from "../../../../src/data/tables/tableFile";
import { assertRejects } from "../../io/support";
import { temporaryFolder } from "../support";

const folder = temporaryFolder();
const table = new Table({ label: vectorFromArray([3, 1, 2], new Int32()) });
const stream = Buffer.from(tableToIPC(table, "stream"));

const scan = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return TableFile.opened(path, scanMessages);
};

/** As Arrow wrote before 0.15: no mark before a message's length, and four zero bytes at the end. */
function olderStream(): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const length = stream.readInt32LE(at + 4);
    if (length === 0) return Buffer.concat([...parts, Buffer.alloc(4)]);
    const next = stream.indexOf(Buffer.from([0xff, 0xff, 0xff, 0xff]), at + 8 + length);
    parts.push(stream.subarray(at + 4, next));
    at = next;
  }
}

test("streams of today and of Arrow before 0.15, with their end mark and without, have the same rows", async () => {
  const older = olderStream();
  const streams = { now: stream, open: stream.subarray(0, -8), older, olderOpen: older.subarray(0, -4) };
  for (const [name, bytes] of Object.entries(streams)) {
    const { batches } = await scan(name, bytes);
    assert.deepEqual(
      batches.map(({ rows }) => rows),
      [3],
      name,
    );
  }
});

test("a stream that ends within a message is cut off, wherever", async () => {
  for (const left of [1, 2, 3, 5, 6, 7])
    await assertRejects(
      () => scan(`cut${left}`, stream.subarray(0, stream.length - left)),
      "bad-file",
      "cut off",
    );
  const older = olderStream();
  for (const left of [1, 2, 3])
    await assertRejects(
      () => scan(`older${left}`, older.subarray(0, older.length - left)),
      "bad-file",
      "cut off",
    );
  await assertRejects(() => scan("none", Buffer.from("no table at all")), "bad-file");
});

describe("RecentGroups", () => {
  const group = (bytes: number) => [new Uint8Array(bytes - 64), 0];

  it("read a group once, also for several who ask at once, and again where that failed", async () => {
    const recent = new RecentGroups(1000);
    let readings = 0;
    const read = async () => group(100 * ++readings);
    const both = await Promise.all([recent.get("a", read), recent.get("a", read)]);
    assert.ok(both[0] === both[1] && (await recent.get("a", read)) === both[0]);
    assert.deepEqual([readings, recent.bytes], [1, 100]);
    await assert.rejects(
      recent.get("b", () => Promise.reject(new Error("gone"))),
      /gone/,
    );
    assert.equal(recent.bytes, 100);
    assert.equal((await recent.get("b", read))[0], (await recent.get("b", read))[0]);
    assert.deepEqual([readings, recent.bytes], [2, 300]);
  });

  it("keep what fits exactly, then forget what was used longest ago, and never what was read last", async () => {
    const recent = new RecentGroups(300);
    const readings: string[] = [];
    const ask = async (key: string, bytes = 100) => {
      await recent.get(key, async () => {
        readings.push(key);
        return group(bytes);
      });
      return recent.bytes;
    };
    for (const key of ["a", "b", "c"]) await ask(key);
    assert.equal(await ask("a"), 300);
    assert.equal(await ask("d"), 300); // without b
    await ask("a");
    await ask("c");
    assert.deepEqual(readings, ["a", "b", "c", "d"]);
    assert.equal(await ask("b"), 300); // without d
    assert.equal(await ask("large", 5000), 5000);
    assert.equal(await ask("large"), 5000);
    assert.equal(await ask("a"), 100);
    assert.deepEqual(readings, ["a", "b", "c", "d", "b", "large", "a"]);
  });

  it("count the bytes of images, bare or in a struct, and 64 for every cell beside them", async () => {
    const recent = new RecentGroups(10_000);
    const cells = [
      new Uint8Array(7),
      { bytes: new Uint8Array(100), path: null },
      { bytes: null },
      null,
      "text",
    ];
    await recent.get("cells", async () => cells);
    assert.equal(recent.bytes, 7 + (100 + 64) + 3 * 64);
  });
});
