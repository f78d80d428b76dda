import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brief } from "../../../src/core/brief";
import { allFinite } from "../../../src/core/finite";
import { type HostTensor, streamOf } from "../../../src/core/hostTensor";
import { inGroups } from "../../../src/core/inGroups";
import { describeValue } from "../../../src/core/options/describeValue";
import { nearest } from "../../../src/core/options/nearest";
import { bilinearWeights, nearestIndices, resizePlanes } from "../../../src/core/resample";
import { textTable } from "../../../src/core/textTable";

describe("numbers are all finite", () => {
  it("unless there is a NaN or an infinity, wherever it is", () => {
    for (let length = 1; length <= 11; length++) {
      const good = Float32Array.from({ length }, (_, i) => (i % 2 ? -1 : 1) * 3.4e38);
      assert.ok(allFinite(good), `${length} large ones`);
      for (let at = 0; at < length; at++) {
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
          assert.equal(allFinite(Float32Array.from(good).fill(bad, at, at + 1)), false, `${bad} at ${at}`);
      }
    }
    assert.ok(allFinite(new Float32Array()));
    const opposite = [Number.POSITIVE_INFINITY, 0, 0, 0, Number.NEGATIVE_INFINITY];
    assert.equal(allFinite(Float32Array.from(opposite)), false);
  });
});

describe("values for messages", () => {
  it("from files are JSON of at most 80 characters, and never an error", () => {
    assert.equal(brief({ a: [1, "x"] }), '{"a":[1,"x"]}');
    assert.equal(brief(undefined), "nothing");
    assert.equal(brief("x".repeat(78)), `"${"x".repeat(78)}"`);
    assert.equal(brief("x".repeat(79)), `"${"x".repeat(79)}…`);
    assert.equal(brief([1, 2, 3], 4), "[1,2…");
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    assert.equal(brief(cyclic), "a value that cannot be shown (nested too deeply?)");
  });

  it("from callers are one short line, which says where an await is missing", () => {
    assert.equal(describeValue(Promise.resolve(1)), "a Promise; write await before what makes it");
    assert.equal(describeValue(null), "null");
    assert.equal(
      describeValue(function named() {}),
      "a function (named)",
    );
    assert.equal(describeValue((() => () => {})()), "a function");
    assert.equal(describeValue([1, 2, 3, 4, 5, 6]), "[ 1, 2, 3, 4, ... 2 more items ]");
    assert.equal(describeValue({ a: { b: 1 } }), "{ a: [Object] }");
    assert.equal(describeValue("a".repeat(90)), `'${"a".repeat(80)}'... 10 more characters`);
    assert.equal(describeValue(Array(4).fill("b".repeat(70))).length, 161);
    const silent = { [Symbol.for("nodejs.util.inspect.custom")]: () => assert.fail() };
    assert.equal(describeValue(silent), "a object");
  });

  it("misspelt, are told the name that is nearest, unless none is near", () => {
    const names = ["batchSize", "epochs", "lr", "minLr"];
    const meant = (name: string) => nearest(name, names);
    assert.deepEqual(["batchsize", "bathSize", "epoch", "Epohcs", "minlr"].map(meant), [
      "batchSize",
      "batchSize",
      "epochs",
      "epochs",
      "minLr",
    ]);
    assert.deepEqual(["patience", "xy", "q", ""].map(meant), [undefined, undefined, undefined, undefined]);
    assert.equal(nearest("abcxyzghi", ["abcdefghi"]), "abcdefghi"); // a third of nine letters
    assert.equal(nearest("abwxyzghi", ["abcdefghi"]), undefined);
  });
});

describe("tables of text", () => {
  it("have numbers to the right and names to the left, and nothing that steers a terminal", () => {
    const table = textTable(
      ["set", "top-1", "n"],
      [
        ["val", "81.2 ± 0.1", "50000"],
        ["a\u001b[2J", "–", "9"],
      ],
    );
    assert.deepEqual(table.split("\n"), [
      "set            top-1      n",
      "────────  ──────────  ─────",
      "val       81.2 ± 0.1  50000",
      "a\\x1b[2J           –      9",
    ]);
    assert.equal(textTable(["name", "what"], [["a", "b"]]), "name  what\n────  ────\na     b");
  });
});

describe("resizing without antialiasing", () => {
  const plane = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9];

  it("is PyTorch's bilinear interpolation, as one step and as two products", () => {
    const expected: [rows: number, columns: number, values: number[]][] = [
      [2, 3, [3.41667, 4.5, 3.66667, 6.16667, 8.25, 7.16667]],
      [3, 5, plane],
      [1, 1, [6]],
      [
        5,
        7,
        [
          ...[3, 1.85714, 1.85714, 4, 1.85714, 2.71429, 5, 5.4, 3.11429, 2.37143, 4.8, 3.22857, 3.28571, 4.2],
          ...[9, 5, 3.14286, 6, 5.28571, 4.14286, 3, 6.6, 6.02857, 6.22857, 7.8, 6.65714, 6.37143, 6.6],
          ...[5, 6.71429, 8.28571, 9, 7.57143, 7.85714, 9],
        ],
      ],
    ];
    for (const [rows, columns, values] of expected) {
      const resized = resizePlanes([...plane, ...plane], 3, 5, rows, columns);
      const [down, across] = [bilinearWeights(3, rows), bilinearWeights(5, columns)];
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
          const [at, want] = [y * columns + x, values[y * columns + x]];
          assert.ok(Math.abs(resized[at] - want) < 1e-5 && resized[at + rows * columns] === resized[at]);
          let sum = 0;
          for (const [i, value] of plane.entries())
            sum += down[y * 3 + Math.floor(i / 5)] * across[x * 5 + (i % 5)] * value;
          assert.ok(Math.abs(sum - want) < 1e-5, `${rows} x ${columns} at ${y}, ${x}`);
        }
      }
    }
  });

  it("to the nearest is PyTorch's choice", () => {
    assert.deepEqual([...nearestIndices(5, 7)], [0, 0, 1, 2, 2, 3, 4]);
    assert.deepEqual([...nearestIndices(7, 5)], [0, 1, 2, 4, 5]);
    assert.deepEqual([...nearestIndices(3, 10)], [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert.deepEqual([...nearestIndices(10, 3)], [0, 3, 6]);
  });
});

describe("groups", () => {
  it("keep the order, and hold 64 MiB together or one thing that is larger", () => {
    const mib = (sizes: number[]) => inGroups(sizes, (size) => size * 2 ** 20);
    assert.deepEqual(mib([32, 32, 1]), [[32, 32], [1]]);
    assert.deepEqual(mib([1, 64, 63, 1]), [[1], [64], [63, 1]]);
    assert.deepEqual(mib([100, 0, 5]), [[100], [0, 5]]);
    assert.deepEqual(mib([]), []);
  });

  it("of tensors that are there give the numbers of those that are asked for", async () => {
    const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3)];
    const peeked: HostTensor = { shape: [1], data: Float32Array.of(9), peek: () => b };
    const stream = streamOf(
      new Map([
        ["a", { shape: [2], data: a }],
        ["b", peeked],
      ]),
    );
    assert.deepEqual(
      [...stream.shapes],
      [
        ["a", [2]],
        ["b", [1]],
      ],
    );
    assert.deepEqual(await stream.read(["b"]), { b });
    assert.deepEqual(await stream.read(["a", "b"]), { a, b });
  });
});
