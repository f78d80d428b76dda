import { before, describe, it } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { onHost, startBackend, tf } from "../../../src/core/tf";
import * as course from "../../../src/course";
import type { Exercise } from "../../../src/course/exercise";
import { exercises } from "../../../src/course/exercises";
import { drawRow, drawRows, drawShares, times } from "../../../src/course/exercises/rows";
import { judge } from "../../../src/course/judge";
import * as numbers from "../../../src/course/numbers";
import { Calls } from "../../support/calls";

type Answer = (...inputs: readonly unknown[]) => unknown;

describe("of the course", () => {
  before(() => startBackend({ backend: "cpu" }));

  it("what exercises ask, and what answers give, is approved", async () => {
    const calls = new Calls();
    calls.note("names", course.names);
    for (const one of exercises) {
      calls.title(one.id);
      calls.note("asked", [one.expects, one.hint, one.praise]);
      const draw = () => one.inputs?.(new Rng(0).fork("exercise", one.id)) ?? [];
      if (one.inputs)
        calls.note(
          "inputs",
          onHost(() => draw().map((inputs) => inputs.map((input) => numbers.numbersOf(input)))),
        );
      const given = (answer: unknown) => {
        if (typeof answer !== "function") return answer;
        return onHost(() => draw().map((inputs) => numbers.numbersOf((answer as Answer)(...inputs))?.values));
      };
      await calls.does("right", () => given(one.right));
      await calls.does("  is", () => String(course.exercise(one.id, one.right)));
      for (const { answer } of one.mistakes) {
        await calls.does("wrong", () => given(answer));
        await calls.does("  is", () => String(course.exercise(one.id, answer)));
      }
      await calls.does("open", () => String(course.exercise(one.id, undefined)));
    }
    for (const name of ["", "tokens", "tokens/count ", 5])
      await calls.does(`no exercise ${name}`, () => course.exercise(name as string, 1));
    calls.title("drawn");
    await calls.does("rows", () => [
      drawRow(new Rng(1), 5),
      drawRows(new Rng(1), 2, 3),
      drawShares(new Rng(1), 4),
      drawShares(new Rng(2), 1),
    ]);
    await calls.of(
      times,
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [1, 10, 100],
    );
    calls.approve("course/exercises");
  });

  it("what is said of answers is approved", async () => {
    const calls = new Calls();
    const asked = { id: "a/b", expects: "a thing", hint: "Look.", praise: "Well." };
    const count: Exercise = {
      ...asked,
      right: [10, 200],
      mistakes: [
        { answer: [11, 200], hint: "Eleven." },
        { answer: [10, 100], hint: "Half." },
      ],
    };
    const measured: Exercise = {
      ...asked,
      right: [1.5, 200],
      mistakes: [{ answer: [3.5, 200], hint: "Doubled." }],
    };
    const values: unknown[] = [
      [10, 200],
      [11, 200],
      [10, 201],
      [10, 219],
      [10, 221],
      [9, 200],
      [10, 100],
      [1.5, 200],
      [1.5029, 200],
      [1.5031, 200],
      [1.5, 200.3],
      [1.6, 200],
      [1.7, 200],
      [3.5, 200],
      [3.506, 200.3],
      [10],
      10,
      [[10, 200]],
      [10, Number.NaN],
      [10, Number.POSITIVE_INFINITY],
      ["10", 200],
      null,
      "x",
      undefined,
      new Float32Array([10, 200]),
      new Float64Array([1.5, 200]),
      tf.tensor([10, 200]),
      () => [10, 200],
      Promise.resolve([10, 200]),
    ];
    for (const value of values) {
      await calls.does("count", () => String(judge(count, value)));
      await calls.does("measured", () => String(judge(measured, value)));
    }
    calls.title("functions");
    const right = (x: number, list: number[]) => list.map((one) => one * x);
    const plus = (x: number, list: number[]) => list.map((one) => one + x);
    const computed: Exercise = {
      ...asked,
      right,
      inputs: () => [
        [2, [1, 2]],
        [3, [4, 5, 6]],
        [2, [2]],
      ],
      mistakes: [
        { answer: plus, hint: "Added." },
        { answer: () => undefined, hint: "Nothing." },
      ],
    };
    const answers: Record<string, unknown> = {
      right,
      plus,
      "a number": 5,
      "nothing at all": () => {},
      "nothing later": (x: number, list: number[]) => (list.length === 3 ? undefined : right(x, list)),
      "nearly the same": (x: number, list: number[]) => list.map((one) => one * x * 1.0009),
      "a little off": (x: number, list: number[]) => list.map((one) => one * x * 1.0011),
      "right for some": (x: number, list: number[]) => (x === 3 ? right(x, list) : [0]),
      "another shape": () => [1, 2, 3, 4],
      "a text": () => "x",
      "an async one": async () => [2, 4],
      "one that throws": () => {
        throw new TypeError("oh");
      },
      "one that throws a text": () => {
        throw "oh";
      },
      "one that throws later": (x: number, list: number[]) => {
        if (x === 3) throw new Error("three");
        return right(x, list);
      },
      "one that changes its inputs": (x: number, list: number[]) => {
        const given = right(x, list);
        list.fill(0);
        return given;
      },
      "a rejected promise": () => Promise.reject(new Error("later")),
      NaN: (x: number, list: number[]) => list.map(() => x * Number.NaN),
      "a tensor": (x: number, list: number[]) => tf.tensor(right(x, list)),
      "a class": class {
        x = 1;
      },
    };
    for (const [name, answer] of Object.entries(answers))
      await calls.does(name, () => String(judge(computed, answer)));
    const large: Exercise = {
      ...asked,
      right: (n: number) => Array.from({ length: 4 }, (_, i) => Array(n).fill(i)),
      inputs: () => [[5]],
      mistakes: [],
    };
    await calls.does("one of many numbers is off", () =>
      String(
        judge(large, (n: number) =>
          Array.from({ length: 4 }, (_, i) =>
            Array.from({ length: n }, (__, j) => (i === 2 && j === 3 ? 9.12345 : i)),
          ),
        ),
      ),
    );
    await calls.does("many of another shape", () => String(judge(large, () => Array(20).fill(1))));
    calls.title("numbers");
    const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const value of [
      5,
      true,
      false,
      [],
      [[]],
      [1, [2]],
      [[1, 2], [3]],
      [
        [1, 2],
        [3, 4],
      ],
      [true, 2],
      ["1"],
      new Int8Array([1, -1]),
      new BigInt64Array(1),
      new DataView(new ArrayBuffer(2)),
      tf.tensor([[1], [2]]),
      [tf.scalar(1), 2],
      deep(8),
      deep(9),
      cyclic,
      null,
      {},
      "1",
      1n,
      Number.NaN,
    ])
      await calls.does("numbersOf", () => numbers.numbersOf(value));
    await calls.does("numbersOf of what is gone", () => {
      const gone = tf.tensor([1]);
      gone.dispose();
      return [numbers.numbersOf(gone), numbers.numbersOf([gone, gone])];
    });
    const of = (value: unknown) => numbers.numbersOf(value)!;
    const pairs: [unknown, unknown][] = [
      [1, 1],
      [1, 2],
      [2, 1],
      [0, 0],
      [0, 1e-7],
      [1e-7, 0],
      [1, [1]],
      [
        [1, 100],
        [2, 100],
      ],
      [
        [1, 100],
        [1, 110],
      ],
      [Number.NaN, Number.NaN],
      [Number.NaN, 1],
      [1, Number.NaN],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
      [Number.POSITIVE_INFINITY, 5],
      [5, Number.POSITIVE_INFINITY],
      [-5, 5],
      [0, -0],
      [[], []],
      [[[1, 2]], [[1], [2]]],
      [
        [1, Number.POSITIVE_INFINITY],
        [2, Number.POSITIVE_INFINITY],
      ],
    ];
    for (const [a, b] of pairs)
      await calls.does(JSON.stringify([a, b]), () => [
        numbers.hasShapeOf(of(a), of(b)),
        numbers.distance(of(a), of(b)),
        numbers.farthest(of(a), of(b)),
        numbers.differenceInWords(of(a), of(b)),
      ]);
    const grid = (rows: number, columns: number, odd?: number) =>
      Array.from({ length: rows }, (_, i) =>
        Array.from({ length: columns }, (__, j) => (i * columns + j === odd ? -77 : i / 3)),
      );
    for (const [rows, columns] of [
      [3, 4],
      [13, 1],
      [1, 13],
      [3, 5],
    ]) {
      await calls.does(`${rows} x ${columns} in words`, () => numbers.inWords(of(grid(rows, columns))));
      await calls.does("  one is off", () =>
        numbers.differenceInWords(of(grid(rows, columns, rows * columns - 2)), of(grid(rows, columns))),
      );
    }
    await calls.does("three axes", () => [
      numbers.inWords(
        of([
          [
            [1, 2.34567],
            [3, 4],
          ],
          [
            [5, 6],
            [7, 123456],
          ],
        ]),
      ),
      numbers.inWords(of(tf.zeros([2, 3, 4]))),
      numbers.inWords(of([])),
      numbers.inWords(of(1e-9)),
      numbers.differenceInWords(of(tf.oneHot(tf.tensor1d([1, 4, 2], "int32"), 5)), of(tf.zeros([3, 5]))),
    ]);
    calls.title("verdicts");
    for (const kind of ["right", "nearly", "no", "open"] as const) {
      const verdict = new course.Verdict(kind, 'a < b & "c" it\'s');
      calls.note(kind, [
        verdict.kind,
        verdict.text,
        String(verdict),
        inspect(verdict),
        (verdict as never as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")](),
      ]);
    }
    for (const given of [
      ["maybe", "x"],
      ["right", ""],
      [undefined, "x"],
      ["no", 5],
    ])
      await calls.does(`Verdict ${given}`, () => new course.Verdict(given[0] as "no", given[1] as string));
    calls.approve("course/answers");
  });
});
