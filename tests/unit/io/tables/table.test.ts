import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dictionary, makeVector, Table, tableToIPC } from "apache-arrow";
import { codeVersion } from "../../../../src/core/commit";
import { columnsOf, resultTable, tableOf } from "../../../../src/io/tables/resultTable";
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

test("results say where they come from before they say numbers, unless a column of theirs says it for each row", async () => {
  const path = join(folder, "results.arrow");
  const provenance = { model: "m", data: "d", recipe: "r", seed: 3 };
  await writeTable(path, resultTable({ top1: [1, 2], data: ["x", "y"] }, provenance));
  assert.equal(readFileSync(path, "latin1").slice(0, 6), "ARROW1", "a file, not a stream");
  const table = await readTable(path);
  assert.deepEqual(
    table.schema.fields.map(({ name }) => name),
    ["model", "data", "recipe", "seed", "commit", "top1"],
  );
  const column = (name: string) => [...table.getChild(name)!];
  const all = ["model", "data", "recipe", "seed", "top1"].map(column);
  assert.deepEqual(all, [
    ["m", "m"],
    ["x", "y"],
    ["r", "r"],
    [3, 3],
    [1, 2],
  ]);
  assert.deepEqual(column("commit"), [codeVersion(), codeVersion()]);
  const types = ["model", "seed", "top1"].map((name) => String(table.getChild(name)!.type));
  assert.deepEqual(types, ["Dictionary<Int32, Utf8>", "Int32", "Float64"]);
  const unknown = resultTable({ top1: [0.5] }, {});
  for (const name of ["model", "data", "recipe", "seed"])
    assert.deepEqual([...unknown.getChild(name)!], [null], name);
  const own = { model: ["a", "b"], recipe: [null, "c"], seed: [1.5, null], commit: ["e", "f"] };
  const given = resultTable({ ...own, data: [null, "z"] }, provenance);
  for (const [name, values] of Object.entries(own))
    assert.deepEqual([...given.getChild(name)!], values, name);
  assert.deepEqual([...given.getChild("data")!], [null, "z"]);
  assert.equal(given.schema.fields.length, 5, "no column is there twice");
  const none = resultTable({}, provenance);
  assert.deepEqual([none.numRows, none.schema.fields.length], [0, 5]);
});

test("streams are read like files, and what is no path or no table is not written", async () => {
  const path = join(folder, "stream.arrow");
  writeFileSync(path, tableToIPC(tableOf({ a: [1, 2] }), "stream"));
  assert.deepEqual([...(await readTable(path)).getChild("a")!], [1, 2]);
  const table = tableOf({ a: [1] });
  for (const [wrong, value] of [
    ["", table],
    [3, table],
    [path, {}],
    [path, undefined],
  ] as const)
    await assertRejects(
      () => writeTable(wrong as string, value as typeof table),
      "bad-argument",
      "writeTable:",
    );
  assert.deepEqual([...(await readTable(path)).getChild("a")!], [1, 2], "what was there is there");
});

test("a column of texts leaves the list that it is made of as it was", () => {
  const texts = Object.freeze(["b", null, "a", "b"]);
  assert.deepEqual([...textColumn(texts)], ["b", null, "a", "b"]);
});
