import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Int32, Table, tableToIPC, vectorFromArray } from "apache-arrow";
import { scanMessages } from "../../../../src/data/tables/arrowMessages";
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
