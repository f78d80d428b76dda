import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dictionary, makeVector, Table } from "apache-arrow";
import { columnsOf, tableOf } from "../../../../src/io/tables/resultTable";
import { readTable, textColumn, writeTable } from "../../../../src/io/tables/table";
import { assertRejects, temporaryFolder } from "../support";

const folder = temporaryFolder();

test("a table is written and read back with its types", async () => {
  const path = join(folder, "entropy.arrow");
  const table = new Table({
    layer: makeVector(Int32Array.of(0, 1, 2)),
    entropy: makeVector(Float32Array.of(0.5, 1.5, 2.5)),
    kind: textColumn(["dog", "cat", "dog"]),
    split: textColumn(["val", null, "val"]),
  });
  await writeTable(path, table);
  const read = await readTable(path);
  assert.equal(read.numRows, 3);
  assert.deepEqual([...read.getChild("entropy")!], [0.5, 1.5, 2.5]);
  assert.deepEqual([...read.getChild("kind")!], ["dog", "cat", "dog"]);
  assert.deepEqual([...read.getChild("split")!], ["val", null, "val"]);
  assert.ok(read.schema.fields[2].type instanceof Dictionary);
});

test("columns are texts where one of them is a text, else numbers; what is not there is null", () => {
  const ready = makeVector(Int32Array.of(7, 8, 9));
  const table = tableOf({
    text: [null, "b", null],
    number: [null, 0.1, -3],
    none: [null, null, null],
    ready,
  });
  assert.deepEqual([...table.getChild("text")!], [null, "b", null]);
  assert.deepEqual([...table.getChild("number")!], [null, 0.1, -3], "in double precision");
  assert.deepEqual([...table.getChild("none")!], [null, null, null]);
  assert.deepEqual([...table.getChild("ready")!], [7, 8, 9]);
  assert.deepEqual(
    columnsOf(
      [
        { a: 1, b: "x", c: 0 },
        { a: 2, b: "y", c: 0 },
      ],
      ["b", "a"],
    ),
    { b: ["x", "y"], a: [1, 2] },
  );
});

test("files that are no tables are refused", async () => {
  const path = join(folder, "text.arrow");
  writeFileSync(path, "this is not an arrow file, whatever its name says");
  await assertRejects(() => readTable(path), "bad-file", "text.arrow");
  writeFileSync(path, "");
  await assertRejects(() => readTable(path), "bad-file", "text.arrow");
  await assertRejects(() => readTable(join(folder, "none.arrow")), "missing-file");
});
