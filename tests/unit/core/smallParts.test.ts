import assert from "node:assert/strict";
import type { Stats } from "node:fs";
import { describe, it, mock } from "node:test";
import { runInNewContext } from "node:vm";
import { brief } from "../../../src/core/brief";
import { identityOf } from "../../../src/core/fileIdentity";
import { allFinite } from "../../../src/core/finite";
import { groupBy } from "../../../src/core/groupBy";
import { type HostTensor, streamOf } from "../../../src/core/hostTensor";
import { inGroups } from "../../../src/core/inGroups";
import { Turn } from "../../../src/core/loop";
import { mean, sum } from "../../../src/core/mean";
import * as options from "../../../src/core/options";
import { describeValue } from "../../../src/core/options/describeValue";
import { nearest } from "../../../src/core/options/nearest";
import { usualCropRatio } from "../../../src/core/preprocessing";
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
    const signs = textTable(
      ["n", "s"],
      [
        ["−1.5", "1e3"],
        ["+22", "x"],
        ["-3", ""],
      ],
    );
    assert.deepEqual(signs.split("\n").slice(2), ["−1.5  1e3", " +22  x", "  -3"]);
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
    // In double precision the place in the middle would be the second's.
    assert.deepEqual(
      [...nearestIndices(2, 82)],
      Array.from({ length: 82 }, (_, i) => Number(i > 41)),
    );
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

describe("options", () => {
  const { problemsOf } = options;
  const inContext = (script: string) => runInNewContext(script) as unknown;

  it("take the values at their bounds, and none beyond", () => {
    const inf = Number.POSITIVE_INFINITY;
    const fields: [field: options.Field<unknown>, expected: string, taken: unknown[], refused: unknown[]][] =
      [
        [options.text, "a text", ["a", " "], ["", 1, null]],
        [options.path, "a path", ["a", "."], ["", 1, null]],
        [options.flag, "true or false", [true, false], [0, "true", null]],
        [options.number(), "a number from 0", [0, 0.5, 1e300], [-1e-300, Number.NaN, inf, "1"]],
        [options.number(-1, 2), "a number from -1 to 2", [-1, 2], [-1.001, 2.001]],
        [options.number(0, 1, true), "a number above 0 and at most 1", [1e-300, 1], [0, 1.001, Number.NaN]],
        [options.number(1, undefined, true), "a number above 1", [1.001], [1, inf]],
        [
          options.number(10_000, 20_000, true),
          "a number above 10,000 and at most 20,000",
          [10_001, 20_000],
          [10_000, 20_001],
        ],
        [options.whole(), "a whole number from 1", [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53, inf]],
        [options.whole(0, 12_000), "a whole number from 0 to 12,000", [0, 12_000], [-1, 12_001]],
        [options.whole(0, 1e15 - 1), "a whole number from 0 to 999,999,999,999,999", [1e15 - 1], [1e15]],
        [options.share, "a number from 0 to 1", [0, 1], [-0.001, 1.001]],
        [options.shareBelowOne, "a number from 0, less than 1", [0, 1 - 2 ** -53], [1, -0.001, Number.NaN]],
        [options.seed, "a whole number from 0 to 9.007199254740991e+15", [0, 2 ** 53 - 1], [-1, 2 ** 53]],
        [options.oneOf(["a", "b", "c"]), '"a", "b" or "c"', ["a", "c"], ["d", "", 0]],
        [options.exactly(null), "null", [null], [undefined, 0, "null"]],
        [options.list(options.share), "a list, each a number from 0 to 1", [[], [0, 1]], [[2], {}, "ab", 1]],
        [
          options.list(options.flag, 2),
          "a list, each true or false, at least 2 of them",
          [[true, false]],
          [[true]],
        ],
        [
          options.pair(options.share),
          "a list of two, each a number from 0 to 1",
          [[0, 1]],
          [[0], [0, 1, 1], [0, 2]],
        ],
        [
          options.row("a row"),
          "a row",
          [[], [1], new Float32Array(1)],
          [{ length: 1 }, "ab", new DataView(new ArrayBuffer(1))],
        ],
        [options.instance(Map, "a Map"), "a Map", [new Map()], [new Set(), {}]],
        [options.callback(), "a function", [() => 1, Map], [{}, undefined]],
        [
          options.signal,
          "an AbortSignal",
          // Of another realm it is no instance of this one's class.
          [new AbortController().signal, inContext("({ aborted: false })"), { aborted: true }],
          [{}, { aborted: 0 }, { aborted: undefined }, null],
        ],
        [
          options.shaped("it", "a", "b"),
          "it",
          [{ a: 0, b: null }, Object.assign(() => 1, { a: 1, b: 1 })],
          [{ a: 1 }, null, "ab"],
        ],
      ];
    for (const [field, expected, taken, refused] of fields) {
      assert.equal(field.expected, expected);
      for (const value of taken)
        assert.deepEqual(problemsOf(field, value), [], `${expected}: ${String(value)}`);
      for (const value of refused)
        assert.ok(problemsOf(field, value).length > 0, `${expected}: ${String(value)}`);
    }
    assert.deepEqual(problemsOf(options.share, 2), ["expected a number from 0 to 1, got 2"]);
  });

  it("are an object literal, of this realm or another, and nothing else", () => {
    const field = options.object({ a: options.whole() }, { b: options.list(options.flag) });
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    for (const good of [{ a: 1 }, bare, inContext("({ a: 1, b: [true] })"), { a: 1, b: undefined }])
      assert.deepEqual(problemsOf(field, good), []);
    class Own {
      a = 1;
    }
    for (const bad of [
      new Own(),
      [],
      new Map(),
      Promise.resolve({ a: 1 }),
      null,
      undefined,
      "a",
      () => 1,
      new Date(),
    ])
      assert.deepEqual(problemsOf(field, bad), [`expected an object, got ${describeValue(bad)}`]);
    assert.deepEqual(problemsOf(field, { a: 0, c: 1, b: [1, true, 2] }), [
      "a: expected a whole number from 1, got 0",
      "b[0]: expected true or false, got 1",
      "b[2]: expected true or false, got 2",
      "c: unknown; there are a, b",
    ]);
    assert.deepEqual(problemsOf(field, {}), ["a: missing, expected a whole number from 1"]);
    assert.deepEqual(problemsOf(options.object({}, {}), { x: 1 }), ["x: unknown; there are no options here"]);
  });

  it("have rules over entries together, asked only where those are as they should be", () => {
    const field = options.object({ low: options.share, high: options.share }, {}, ({ low, high }) =>
      low! <= high! ? [] : [["low", "expected at most high"]],
    );
    assert.deepEqual(problemsOf(field, { low: 0.5, high: 0.5 }), []);
    assert.match(problemsOf(field, { low: 0.6, high: 0.5 }).join(), /^low: .*at most high/);
    assert.deepEqual(problemsOf(field, { low: 0.6, high: -1 }), [
      "high: expected a number from 0 to 1, got -1",
    ]);
    const some = options.partly(field, ["high"]);
    assert.deepEqual(problemsOf(some, {}), []);
    assert.deepEqual(problemsOf(some, { low: 1 }), []);
    assert.match(problemsOf(some, { high: 1 }).join(), /^high: unknown/);
  });
});

describe("small sums", () => {
  it("of none are 0, and a mean of none is no number", () => {
    assert.deepEqual([sum([]), sum([1, -3, 2.5]), mean([1, 2, 6])], [0, 0.5, 3]);
    assert.ok(Number.isNaN(mean([])));
  });

  it("are grouped by a key in the order of their coming", () => {
    const groups = groupBy(["ab", "c", "ad", "", "ce"], (text) => text.slice(0, 1));
    assert.deepEqual(
      [...groups],
      [
        ["a", ["ab", "ad"]],
        ["c", ["c", "ce"]],
        ["", [""]],
      ],
    );
  });

  it("a crop is 7/8 up to 224 pixels, as MAE has it, and nothing above", () => {
    assert.deepEqual([96, 224, 225, 448].map(usualCropRatio), [0.875, 0.875, 1, 1]);
  });
});

describe("a file", () => {
  it("is another where device, number, size or time of change are", () => {
    const stats = { dev: 1, ino: 2, size: 3, mtimeMs: 4.25, mode: 5, atimeMs: 6 } as Stats;
    const changed = { dev: 9, ino: 9, size: 9, mtimeMs: 4.5 };
    const others = Object.entries(changed).map(([name, value]) => identityOf({ ...stats, [name]: value }));
    assert.equal(new Set([identityOf(stats), ...others]).size, 5);
    assert.notEqual(identityOf({ ...stats, dev: 1, ino: 12 }), identityOf({ ...stats, dev: 11, ino: 2 }));
    assert.equal(identityOf({ ...stats, mode: 8, atimeMs: 9 }), identityOf(stats), "to be read is no change");
  });
});

describe("a loop of short steps", () => {
  it("gives others their turn every 15 milliseconds, and ends with what its signal was aborted with", async () => {
    let now = 1000;
    const clock = mock.method(performance, "now", () => now);
    try {
      const controller = new AbortController();
      const turn = new Turn(controller.signal);
      const othersRan = async () => {
        let ran = false;
        setImmediate(() => {
          ran = true;
        });
        await turn.pass();
        return ran;
      };
      const found: boolean[] = [];
      for (const step of [0, 14, 1, 14, 0.9, 0.1, 15]) {
        now += step;
        found.push(await othersRan());
      }
      assert.deepEqual(found, [false, false, true, false, false, true, true]);
      controller.abort(new Error("enough"));
      await turn.pass();
      now += 15;
      await assert.rejects(turn.pass(), /enough/);
    } finally {
      clock.mock.restore();
    }
  });
});
