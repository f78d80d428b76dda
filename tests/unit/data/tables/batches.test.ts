import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openShard } from "../../../../src/data/tables/openShard";
import { RecentGroups } from "../../../../src/data/tables/recentGroups";
import { temporaryFolder } from "../support";
import { batch, column, type Part, schema, types } from "./arrowStream";

const folder = temporaryFolder();

/** Runs of up to twelve bytes in their views, longer ones in a data buffer for every so many of them. */
function views(rows: readonly (string | undefined)[], perBuffer: number): Part & { readonly data: number } {
  const table = Buffer.alloc(16 * rows.length);
  const data: Buffer[][] = [];
  let long = 0;
  for (const [i, row] of rows.entries()) {
    const bytes = Buffer.from(row ?? "");
    table.writeInt32LE(bytes.length, 16 * i);
    if (bytes.length <= 12) {
      bytes.copy(table, 16 * i + 4);
      continue;
    }
    const index = Math.floor(long++ / perBuffer);
    data[index] ??= [];
    bytes.copy(table, 16 * i + 4, 0, 4);
    table.writeInt32LE(index, 16 * i + 8);
    table.writeInt32LE(Buffer.concat(data[index]).length, 16 * i + 12);
    data[index].push(bytes);
  }
  const bits = rows.reduce((sum, row, i) => sum | (row === undefined ? 0 : 1 << i), 0);
  const nulls = rows.filter((row) => row === undefined).length;
  const buffers = [Uint8Array.of(bits), table, ...data.map((parts) => Buffer.concat(parts))];
  return { nulls, buffers, data: data.length };
}

const numbers = (values: readonly number[]): Part => ({
  buffers: [new Uint8Array(), new Uint8Array(Int32Array.from(values).buffer)],
});

test("batches of views have each the data buffers that they need: none, one or several, before other columns too", async () => {
  const rows = (batchNumber: number, lengths: readonly (number | undefined)[]) =>
    lengths.map((length, i) => (length === undefined ? undefined : `${batchNumber}${i}`.padEnd(length, ".")));
  const batches = [
    { note: rows(1, [3, 4]), image: rows(2, [11, 12]), perBuffer: 1 },
    { note: rows(3, [40, 50, undefined, 13]), image: rows(4, [13, 60, 2, 99]), perBuffer: 1 },
    { note: rows(5, [12]), image: rows(6, [14]), perBuffer: 1 },
    { note: rows(7, [30, 31, 32, 33]), image: rows(8, [20, undefined, 21, 22]), perBuffer: 2 },
    { note: rows(9, [13, 1]), image: rows(10, [5, 6]), perBuffer: 1 },
  ];
  const parts = batches.map(({ note, image, perBuffer }, k) => {
    const [before, seen, behind] = [views(note, perBuffer), views(image, perBuffer), views(image, 1)];
    const columns = [before, seen, numbers(image.map((_, i) => 10 * k + i)), behind];
    return batch(image.length, columns, {
      4: { longs: [[before.data], [seen.data], [behind.data]] },
    });
  });
  const path = join(folder, "views.arrow");
  const columns = [
    column("note", types.utf8View),
    column("image", types.binaryView),
    column("number", types.int, { 0: { int: 32 }, 1: { byte: 1 } }),
    column("again", types.utf8View),
  ];
  writeFileSync(
    path,
    Buffer.concat([schema(columns), ...parts, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0])]),
  );
  const labelsBy = async (label: string) => {
    const { labels } = await openShard(path, () => ({ image: "image", label }), new RecentGroups(1e6));
    return Array.from(labels!.codes, (code) => labels!.values[code]);
  };
  assert.deepEqual(
    await labelsBy("number"),
    batches.flatMap(({ image }, k) => image.map((_, i) => 10 * k + i)),
  );
  const all = batches.flatMap(({ image }) => image);
  assert.deepEqual(
    await labelsBy("again"),
    all.map((text) => text ?? null),
  );
  assert.deepEqual(
    await labelsBy("note"),
    batches.flatMap(({ note }) => note.map((text) => text ?? null)),
  );
  const shard = await openShard(path, () => ({ image: "image" }), new RecentGroups(1e6));
  assert.deepEqual([shard.rows, shard.groups], [13, [0, 2, 6, 7, 11]]);
  for (const [row, text] of all.entries()) {
    if (text !== undefined) assert.equal(Buffer.from(await shard.image(row)).toString(), text, `row ${row}`);
    else await assert.rejects(shard.image(row), { code: "bad-image", message: /row 8: .*holds no image/ });
  }
});
