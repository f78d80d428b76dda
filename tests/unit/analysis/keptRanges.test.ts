import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Int32, Table, vectorFromArray } from "apache-arrow";
import { gapsIn, joined, keepRange, keptRanges, piecesOf } from "../../../src/analysis/keptRanges";
import { columnsOf, resultTable } from "../../../src/io/tables/resultTable";
import { temporaryFolder } from "./support";

const ranges = (...pairs: [number, number][]) => pairs.map(([start, end]) => ({ start, end }));

test("ranges that were kept are found by their names, in order, and other files are none", async () => {
  const folder = temporaryFolder();
  const table = new Table({ index: vectorFromArray([1], new Int32()) });
  for (const range of ranges([64, 128], [0, 64], [0, 32], [1_000_000, 2_000_000]))
    await keepRange(folder, range, table);
  for (const name of [
    "00000-00001.arrow",
    "000000-000001.arrow.tmp",
    "x000000-000001.arrow",
    "000000-000001.json",
  ])
    writeFileSync(join(folder, name), "");
  const kept = keptRanges(folder);
  assert.deepEqual(
    kept.map(({ start, end }) => [start, end]),
    [
      [0, 32],
      [0, 64],
      [64, 128],
      [1_000_000, 2_000_000],
    ],
  );
  assert.equal(kept[1].file, join(folder, "000000-000064.arrow"));
  assert.deepEqual(keptRanges(join(folder, "none")), []);
});

test("gaps are what no range covers, however ranges lie", () => {
  const gaps = (...pairs: [number, number][]) =>
    gapsIn({ start: 10, end: 20 }, ranges(...pairs)).map(({ start, end }) => [start, end]);
  assert.deepEqual(gaps(), [[10, 20]]);
  assert.deepEqual(gaps([10, 20]), []);
  assert.deepEqual(gaps([14, 16], [12, 13]), [
    [10, 12],
    [13, 14],
    [16, 20],
  ]);
  assert.deepEqual(
    gaps([11, 18], [12, 13]),
    [
      [10, 11],
      [18, 20],
    ],
    "one within another",
  );
  assert.deepEqual(gaps([0, 11], [19, 30]), [[11, 19]], "beyond both ends");
  assert.deepEqual(gaps([20, 30], [0, 10]), [[10, 20]], "beside it");
  assert.deepEqual(gaps([10, 15], [15, 20]), []);
});

test("ranges that touch are joined, and pieces of a range have a length but for the last", () => {
  assert.deepEqual(joined(ranges([0, 2], [2, 4], [5, 6], [6, 9])), ranges([0, 4], [5, 9]));
  assert.deepEqual(joined([]), []);
  assert.deepEqual([...piecesOf({ start: 3, end: 10 }, 3)], ranges([3, 6], [6, 9], [9, 10]));
  assert.deepEqual([...piecesOf({ start: 3, end: 9 }, 3)], ranges([3, 6], [6, 9]));
  assert.deepEqual([...piecesOf({ start: 3, end: 3 }, 3)], []);
});

test("a table of results says in every row what it is of, and has no row where there are no results", () => {
  const rows = [
    { value: 1, name: "a" },
    { value: 2, name: "b" },
  ];
  const columns = columnsOf(rows, ["value", "name"]);
  const table = resultTable(columns, { model: "ViT", seed: 3 });
  assert.deepEqual(
    table.toArray().map((row) => [row.model, row.data, row.recipe, row.seed, row.value, row.name]),
    [
      ["ViT", null, null, 3, 1, "a"],
      ["ViT", null, null, 3, 2, "b"],
    ],
  );
  assert.equal(resultTable({ value: [] }, { model: "ViT" }).numRows, 0);
  assert.equal(resultTable({}, { model: "ViT" }).numRows, 0);
  const own = resultTable({ ...columns, data: ["x", "y"] }, { data: "all" });
  assert.deepEqual(
    own.toArray().map((row) => row.data),
    ["x", "y"],
    "a column of its own comes first",
  );
});
