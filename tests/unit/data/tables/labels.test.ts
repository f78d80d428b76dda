import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type HuggingFaceOptions, huggingFace } from "../../../../src/data/sets";
import { classesOf } from "../../../../src/data/sets/tableClasses";
import type { Features, ImageShard } from "../../../../src/data/tables";
import { LabelColumn, mostLabelBytes } from "../../../../src/data/tables/labelColumn";

const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");
const formats = ["parquet", "arrow"];

const open = (path: string, options: HuggingFaceOptions = {}) => huggingFace(join(fixtures, path), options);

async function expectLabels(name: string, classes: string[], labels: number[]): Promise<void> {
  for (const format of formats) {
    const set = await open(`labels/${name}.${format}`);
    assert.deepEqual(set.classes, classes, format);
    assert.deepEqual(
      labels.map((_, i) => set.label(i)),
      labels,
      format,
    );
  }
}

async function expectRefused(name: string, reason: RegExp): Promise<void> {
  for (const format of formats) {
    await assert.rejects(open(`labels/${name}.${format}`), { code: "bad-dataset", message: reason });
    const set = await open(`labels/${name}.${format}`, { label: false });
    assert.deepEqual([set.length, set.classes], [6, ["image"]], format);
  }
}

describe("labels of a table", () => {
  it("are two classes where they are booleans, also where only one of them is there", async () => {
    await expectLabels("booleans", ["false", "true"], [1, 0, 1, 1, 0, 1]);
    await expectLabels("onlytrue", ["false", "true"], [1, 1, 1, 1, 1, 1]);
  });

  it("are classes where floating-point numbers are all whole", async () => {
    await expectLabels("floats", ["0", "1", "2"], [0, 1, 2, 0, 1, 2]);
    await expectLabels("halves", ["0", "1", "2"], [0, 1, 2, 0, 1, 2]);
  });

  it("are classes where texts are declared as mere bytes", async () => {
    await expectLabels("bytes", ["a", "b", "c"], [0, 1, 2, 0, 1, 2]);
  });

  it("are no classes where numbers are not whole, which are counted and shown", async () => {
    await expectRefused(
      "fractions",
      /column label: labels hold 4 numbers that are not whole.*row 1: 0\.3\n.*row 2: 0\.6\n.*row 4: 1\.5\n.*row 5: 2\.1$/s,
    );
  });

  it("are no classes where they are dates, lists or very large numbers", async () => {
    await expectRefused("dates", /column label: labels .*date.* no classes/);
    await expectRefused("lists", /column label: labels .*list.* no classes/);
    await expectRefused("large", /column label: labels go up to 5000000, which are no classes/);
  });

  it("are no classes where they are times of day, which Parquet keeps as plain numbers", async () => {
    await expectRefused("times", /column label: labels are .*time.* no classes/);
  });

  it("are no classes where their bytes are no UTF-8, of which different ones would be one class", async () => {
    await expectRefused(
      "latin1",
      /column label: labels hold "\ufffd", whose bytes are not UTF-8.* no classes/,
    );
  });

  it("are named where they are missing", async () => {
    await expectRefused(
      "gaps",
      /2 labels in column label are none of the 2 classes.*row 2: empty\n.*row 5: empty$/s,
    );
    await expectRefused("empty", /all 6 labels in column label are empty; give label: false/);
  });

  it("are there once however many rows have them", async () => {
    const set = await open("labels/repeated.parquet");
    assert.deepEqual([set.length, set.classes.length, set.classes[0].length], [30_000, 1, 3022]);
    assert.equal(set.shards[0].labels?.values.length, 1);
  });
});

describe("LabelColumn", () => {
  it("refuses texts of more memory than names of classes ever take", () => {
    const column = new LabelColumn(100, "x, column label");
    const text = (i: number) => String.fromCharCode(65 + i).repeat(mostLabelBytes / 8);
    const texts = Array.from({ length: 8 }, (_, i) => text(i));
    for (let i = 0; i < 5; i++) column.add(texts);
    assert.equal(column.values.length, 8);
    assert.throws(() => column.add(["one more"]), {
      code: "bad-dataset",
      message: /^x, column label: labels are texts of more than 128 MB, which are no classes/,
    });
  });

  it("takes texts as text or as bytes, whole numbers of any kind, and nothing for nothing", () => {
    const column = new LabelColumn(8, "x, column label");
    column.add(["a", Buffer.from("a"), Buffer.from("ü"), 3n, 3, null, undefined, Number.NaN]);
    assert.deepEqual(column.values, ["a", "ü", 3, null]);
    assert.deepEqual([...column.codes], [0, 0, 1, 2, 2, 3, 3, 3]);
    for (const [value, kind] of [
      [{ a: 1 }, "structures"],
      [[1], "lists"],
      [new Date(0), "dates"],
    ] as const)
      assert.throws(() => column.add([value]), {
        message: new RegExp(`^x, column label: labels hold ${kind}, which`),
      });
  });

  it("refuses more different numbers than there are classes", () => {
    const column = new LabelColumn(2 ** 20 + 1, "x, column label");
    column.add(Array.from({ length: 2 ** 20 }, (_, i) => i / 3));
    assert.throws(
      () => column.add([-1]),
      /labels have more than 1048576 different values, which are no classes/,
    );
  });
});

describe("classes of several files together", () => {
  /** A file with these labels, and class names that it declares. */
  function fileOf(labels: readonly unknown[], names?: readonly string[], path = "a.arrow"): ImageShard {
    const column = new LabelColumn(labels.length, `${path}, column label`);
    column.add(labels);
    return {
      path,
      rows: labels.length,
      groups: [0],
      features: names ? { label: { names } } : {},
      columns: { image: "image", label: "label" },
      labels: column,
      image: () => Promise.reject(new Error("nobody looks at images here")),
    };
  }
  const of = (files: readonly ImageShard[], described: Features = {}) => {
    const { classes, labels } = classesOf("set", files, described);
    return [classes, [...labels]];
  };
  const refused = (files: readonly ImageShard[], reason: RegExp) =>
    assert.throws(() => of(files), { code: "bad-dataset", message: reason });

  it("are texts in their order, wherever each comes first", () => {
    const animals = [["cat", "dog", "owl"]];
    assert.deepEqual(of([fileOf(["owl", "cat"]), fileOf(["dog", "cat"])]), [...animals, [2, 0, 1, 0]]);
    assert.deepEqual(of([fileOf(["cat", "dog"]), fileOf(["owl", "owl"])]), [...animals, [0, 1, 2, 2]]);
    assert.deepEqual(of([fileOf(["10", "9", "B", "a"])]), [
      ["10", "9", "B", "a"],
      [0, 1, 2, 3],
    ]);
  });

  it("are numbers from 0 to the largest of all files, and truth after falsehood", () => {
    assert.deepEqual(of([fileOf([3, 0]), fileOf([1n])]), [
      ["0", "1", "2", "3"],
      [3, 0, 1],
    ]);
    assert.deepEqual(of([fileOf([true]), fileOf([false])]), [
      ["false", "true"],
      [1, 0],
    ]);
    assert.equal(of([fileOf([29_999])])[0].length, 30_000);
    refused([fileOf([30_000])], /set, column label: labels go up to 30000, which are no classes/);
    refused([fileOf([0, -1])], /1 labels in column label are none of the 1 classes.*\n.*row 1: -1$/);
    refused([fileOf([0]), fileOf(["a"])], /labels are numbers and strings mixed, which are no classes/);
  });

  it("are declared by the files, which must agree, and before them by their description", () => {
    const names = ["b", "a", "unused"];
    assert.deepEqual(of([fileOf([0, 1], names), fileOf([2], names)]), [names, [0, 1, 2]]);
    assert.deepEqual(of([fileOf(["a", "b"], names)]), [names, [1, 0]]);
    const described = { label: { names: ["x", "y"] } };
    assert.deepEqual(of([fileOf([1, 0], ["only one"])], described), [
      ["x", "y"],
      [1, 0],
    ]);
    assert.deepEqual(of([fileOf([1, 0])], { other: described.label }), [
      ["0", "1"],
      [1, 0],
    ]);
    refused([fileOf([0, 3, 1], names)], /1 labels .* none of the 3 classes.*\n.*row 1: 3$/);
    refused([fileOf(["a", "c"], names)], /1 labels .* none of the 3 classes.*\n.*row 1: c$/);
    const swapped = fileOf([0], ["a", "b", "unused"], "b.arrow");
    refused(
      [fileOf([0], names), swapped],
      /files declare different classes.*\n.*a\.arrow: 3 classes b, a, unused\n.*b\.arrow: 3 classes a, b, unused$/s,
    );
    refused([fileOf([0], names), fileOf([0])], /files declare different classes/);
  });

  it("are one where no labels are read, whatever the files declare", () => {
    const file = { ...fileOf([5, 6], ["a"]), columns: { image: "image" }, labels: undefined };
    assert.deepEqual(of([file, file]), [["image"], [0, 0, 0, 0]]);
  });
});
