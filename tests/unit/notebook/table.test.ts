import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableFromArrays } from "apache-arrow";
import { table } from "../../../src/notebook";
import { epochTable } from "../../../src/notebook/liveEpochs";
import { mimeBundleOf } from "../../../src/notebook/mime";

/** The cells of a table's text, line by line; heads first. */
function cellsOf(records: object[]): string[][] {
  const [head, , ...rows] = String(table(records)).split("\n");
  return [head!, ...rows].map((line) => line.trim().split(/ {2,}/));
}

const column = (values: readonly (number | null)[]) =>
  cellsOf(values.map((value) => ({ name: "x", value })))
    .slice(1)
    .map((cells) => cells[1] ?? "");

describe("the numbers of a column", () => {
  for (const [name, values, written] of [
    ["have the same decimals", [72.5, 60, 13.333333], ["72.50", "60.00", "13.33"]],
    ["need no decimals where none of them does", [3, 1200, 7], ["3", "1,200", "7"]],
    ["have no more decimals than the finest of them", [0.5, 1, 2.5], ["0.5", "1.0", "2.5"]],
    ["are all powers of ten where they are far apart", [0.002833, 9.14e-7, 0], ["2.83e-3", "9.14e-7", "0"]],
    ["all small are powers of ten", [0.0001234, 0.00056], ["1.23e-4", "5.60e-4"]],
    ["show at least two digits of the smallest", [12.34, 0.0051], ["12.3400", "0.0051"]],
    ["below zero keep their sign", [-0.25, 1.5], ["-0.25", "1.50"]],
    ["leave out what is missing and name what is none", [1.25, Number.NaN, null], ["1.25", "NaN", ""]],
    ["large ones are grouped", [123456.7, 2.1], ["123,456.7", "2.1"]],
  ] as [string, (number | null)[], string[]][]) {
    it(name, () => assert.deepEqual(column(values), written));
  }

  it("of one unit are written alike, percentage points like percent", () => {
    const rows = [
      { model: "a", "top-1 (%)": 72.5, "gap (points)": 60, "time (s)": 3.25, images: 600 },
      { model: "b", "top-1 (%)": 70, "gap (points)": 13.333333, "time (s)": 1, images: 20 },
    ];
    assert.deepEqual(cellsOf(rows).slice(1), [
      ["a", "72.50", "60.00", "3.25", "600"],
      ["b", "70.00", "13.33", "1.00", "20"],
    ]);
  });
});

it("learning rates are powers of ten, large and small ones", () => {
  const rates = cellsOf([{ lr: 0.002833 }, { lr: 0.002 }, { lr: 0 }]).flat();
  assert.deepEqual(rates, ["learning rate", "2.83e-3", "2.00e-3", "0"]);
});

describe("the heads of a table", () => {
  it("are words, with units where the library knows them", () => {
    const row = {
      model: "a",
      top1: 1,
      lr: 1,
      imagesPerSecond: 1,
      meanLoss: 1,
      backgroundGap: 1,
      own_name: 1,
    };
    const words = ["model", "top-1 (%)", "learning rate", "images/s", "mean loss", "background gap (points)"];
    assert.deepEqual(cellsOf([row])[0], [...words, "own_name"]);
  });

  it("call the accuracies of ImageNet-9 percent, and anything else as its owner does", () => {
    assert.equal(cellsOf([{ original: 1, mixedSame: 1 }])[0]![0], "original (%)");
    assert.equal(cellsOf([{ original: "a" }])[0]![0], "original");
    assert.deepEqual(table([{ camelCase: 1 }]).columns, ["camelCase"]);
  });

  it("of Arrow tables stay the names of their columns", async () => {
    const html = String((await mimeBundleOf(tableFromArrays({ meanLoss: [1, 2] })))["text/html"]);
    assert.match(html, />meanLoss<\/th>/);
  });
});

describe("the table of epochs", () => {
  const record = (epoch: number) => ({ step: epoch + 1, epoch, loss: 1, lr: 1e-3, imagesPerSecond: 1 });
  const records = (epochs: number) => Array.from({ length: epochs }, (_, epoch) => record(epoch));
  const rows = (html: string) => html.match(/<tr>/g)?.length ?? 0;

  it("has as many rows at the beginning as at the end", () => {
    for (const epochs of [2, 6, 10, 300]) {
      const counts = [0, 1, 2, 9, 250]
        .filter((done) => done <= epochs)
        .map((done) => rows(epochTable(records(done), epochs)));
      assert.deepEqual([...new Set(counts)], [1 + Math.min(10, epochs)]);
    }
  });

  it("keeps the line for the earlier epochs from the beginning", () => {
    assert.match(epochTable(records(3), 300), /the first 10 of 300 epochs/);
    assert.match(epochTable(records(11), 300), /… 1 earlier epoch</);
    assert.match(epochTable(records(12), 300), /… 2 earlier epochs</);
    assert.doesNotMatch(epochTable(records(3), 10), /earlier|first/);
  });

  it("of one epoch, or of nobody knows how many, is not there until there are two", () => {
    assert.equal(epochTable(records(1), 1), "");
    assert.equal(epochTable(records(1), undefined), "");
    assert.equal(rows(epochTable(records(2), undefined)), 3);
  });
});
