import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { exercise, names } from "../../../src/course";
import { exercises } from "../../../src/course/exercises";
import { differenceInWords, distance, farthest, inWords, numbersOf } from "../../../src/course/numbers";

before(async () => void (await startBackend({ backend: "wasm" })));

describe("exercises of the course", () => {
  it("have names of their own, and at least three wrong answers each", () => {
    assert.equal(new Set(names).size, exercises.length);
    for (const { id, mistakes } of exercises) assert.ok(mistakes.length >= 3, id);
  });

  for (const { id, right, mistakes, praise } of exercises) {
    it(`${id}: the right answer is right`, () => {
      const verdict = exercise(id, right);
      assert.deepEqual([verdict.kind, verdict.text], ["right", praise]);
    });

    for (const [i, { answer, hint }] of mistakes.entries())
      it(`${id}: wrong answer ${i + 1} is told from the others`, () => {
        const verdict = exercise(id, answer);
        assert.deepEqual([verdict.kind, verdict.text], ["no", hint]);
      });

    it(`${id}: no answer yet is no wrong answer`, () => {
      assert.equal(exercise(id, undefined).kind, "open");
      if (typeof right === "function") assert.equal(exercise(id, () => undefined).kind, "open");
    });

    it(`${id}: what is no answer at all is told what is expected`, () => {
      for (const answer of ["many", null, {}, Symbol("x")]) {
        const verdict = exercise(id, answer);
        assert.equal(verdict.kind, "no");
        assert.match(verdict.text, /expected (a|\[)/);
      }
    });
  }
});

describe("what is said about an answer", () => {
  it("that is close", () => {
    assert.equal(exercise("tokens/count", 198).kind, "nearly");
    assert.equal(exercise("paper/rate", 2.5e-3).kind, "nearly");
    assert.equal(exercise("tokens/count", 3).kind, "no");
    assert.match(exercise("tokens/count", 198).text, /^close, but a count is exact\. How many/);
    assert.match(exercise("paper/rate", 2.5e-3).text, /^close\. The base rate/);
  });

  it("that is typed to three digits, each number by itself", () => {
    assert.equal(exercise("attention/even", [0.0154, 4.17]).kind, "right");
    assert.equal(exercise("attention/even", [0.0164, 4.17]).kind, "nearly");
  });

  it("that has another shape, or is not a number", () => {
    assert.equal(exercise("tokens/count", [197]).text, "expected a number of tokens, got [197]");
    assert.equal(exercise("tokens/count", Number.NaN).text, "expected a number of tokens, got NaN");
    for (const answer of [[16], [16, 32, 0], [[16], [32]]])
      assert.match(exercise("tokens/where", answer).text, /^expected \[row, column\] in pixels, got \[/);
    const later = exercise("tokens/count", Promise.resolve(197)).text;
    assert.match(later, /^expected a number of tokens, got a Promise; write await/);
  });

  it("that gives nothing back, always or for some inputs", () => {
    assert.match(exercise("entropy/row", () => {}).text, /^not answered yet; .*needs return/);
    const unfinished = (step: number, _total: number, warmup: number, peak: number) => {
      if (step < warmup) return (peak * step) / warmup;
    };
    const { kind, text } = exercise("paper/schedule", unfinished);
    assert.equal(kind, "nearly");
    assert.match(
      text,
      /^right for 1 of 4 inputs; for \(10; 100; 10; 1\) it gives undefined, which is neither/,
    );
  });

  it("that is wrong in one of many numbers, which is shown with its place", () => {
    const backwards = (image: number[][], p: number) =>
      Array.from({ length: (image.length / p) * (image[0].length / p) }, () => Array(p * p).fill(0));
    assert.match(
      exercise("tokens/patchify", backwards).text,
      /^for \(4 × 4 numbers; 2\) it gives 0 at \[\d, \d\], expected -?[\d.]+\./,
    );
  });

  it("that is right for some inputs only, with the first one for which it is not", () => {
    const level = (width: number, height: number) =>
      Math.min(5, Math.floor(4 + Math.log2(Math.sqrt(width * height) / 224)));
    const { kind, text } = exercise("dense/level", level);
    assert.equal(kind, "nearly");
    assert.match(text, /^right for 5 of 7 inputs; for \(30; 20\) it gives 0, expected 2\./);
  });

  it("that throws, or comes later", () => {
    const thrown = exercise("entropy/row", () => {
      throw new Error("no such row");
    });
    assert.equal(thrown.kind, "no");
    assert.match(thrown.text, /for \(.*\) it throws "no such row"/);
    assert.match(exercise("entropy/row", async () => 1).text, /it gives a Promise: leave out async/);
    assert.match(exercise("entropy/row", async () => assert.fail()).text, /Promise/);
  });

  it("that gives no numbers, or rows of different lengths", () => {
    assert.match(
      exercise("entropy/row", () => "much").text,
      /it gives 'much', which is neither a number nor/,
    );
    assert.match(exercise("masked/keep", () => [[1], [2, 3]]).text, /nor rows of one length/);
  });

  it("that changes the lists it is given, which are its own", () => {
    const sorted = (noise: number[], ratio: number) => {
      const positions = noise.map((_, i) => i).sort((a, b) => noise[a] - noise[b]);
      noise.sort();
      return positions.slice(0, Math.floor(noise.length * (1 - ratio)));
    };
    assert.equal(exercise("masked/keep", sorted).kind, "right");
  });

  it("that is a list which holds itself, or a tensor which is gone", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    const gone = tf.tensor1d([16, 32]);
    gone.dispose();
    for (const answer of [circle, gone])
      assert.match(exercise("tokens/where", answer).text, /^expected \[row/);
    assert.match(exercise("entropy/row", () => circle).text, /neither a number nor/);
    assert.match(exercise("entropy/row", () => gone).text, /neither a number nor/);
  });

  it("is a card in a notebook, in which nothing of an answer is markup", () => {
    const verdict = exercise("entropy/row", () => {
      throw new Error("<b>");
    });
    const bundle = Reflect.get(verdict, Symbol.for("Jupyter.display")).call(verdict);
    assert.match(bundle["text/html"], /role="status".*&lt;b&gt;/);
    assert.equal(bundle["text/plain"], String(verdict));
  });

  it("takes tensors and typed arrays, and keeps none", () => {
    assert.equal(exercise("tokens/where", Int32Array.of(16, 32)).kind, "right");
    const where = tf.tensor1d([16, 32]);
    const { numTensors } = tf.memory();
    assert.equal(exercise("tokens/where", where).kind, "right");
    exercise("attention/formula", () => tf.zeros([2, 4]));
    assert.equal(tf.memory().numTensors, numTensors);
    where.dispose();
  });
});

it("an exercise that is not there is refused, naming those that are", () => {
  assert.throws(() => exercise("tokens/none", 1), /no exercise "tokens\/none"; there are tokens\/count, /);
  assert.throws(() => exercise(3 as never, 1), /check.exercise/);
});

describe("numbers of answers", () => {
  const row = (...values: number[]) => ({ shape: [values.length], values });

  it("are read from lists in lists, truth values and arrays, up to eight deep", () => {
    assert.deepEqual(
      numbersOf([
        [1, true],
        [false, 2.5],
      ]),
      { shape: [2, 2], values: [1, 1, 0, 2.5] },
    );
    assert.deepEqual(numbersOf(Float32Array.of(1, 2)), row(1, 2));
    assert.deepEqual(numbersOf([]), row());
    const nested = (depth: number): unknown => (depth === 0 ? 7 : [nested(depth - 1)]);
    assert.deepEqual(numbersOf(nested(8)), { shape: Array(8).fill(1), values: [7] });
    assert.equal(numbersOf(nested(9)), undefined);
    for (const none of ["7", null, [1, "2"], [[1], [2, 3]], new DataView(new ArrayBuffer(8))])
      assert.equal(numbersOf(none), undefined);
  });

  it("are compared by the largest number of all, or each by itself", () => {
    assert.equal(distance(row(1, 104), row(0, 100)), 0.04);
    assert.equal(farthest(row(1, 104), row(2, 100)), 0.5);
    assert.equal(distance(row(0, 5e-7), row(0, 0)), 0.5, "below a millionth a number counts as zero");
    for (const compare of [distance, farthest]) {
      for (const same of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
        assert.equal(compare(row(same, 1), row(same, 1)), 0, `${same}`);
      for (const [given, expected] of [
        [0, Number.NaN],
        [1, Number.POSITIVE_INFINITY],
        [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      ])
        assert.equal(compare(row(given, 1), row(expected, 1)), Number.POSITIVE_INFINITY, `${expected}`);
      assert.equal(compare(row(Number.NaN, 1), row(0, 1)), Number.POSITIVE_INFINITY);
      assert.equal(compare(row(1, 2), { shape: [2, 1], values: [1, 2] }), Number.POSITIVE_INFINITY);
      assert.equal(compare(row(), row()), 0);
    }
  });

  it("are written out up to twelve; of more the one that is farthest off is, with its place", () => {
    assert.equal(inWords({ shape: [2, 2], values: [0.25, 0.75, 1, 1 / 3] }), "[[0.25, 0.75], [1, 0.3333]]");
    const twelve = Array.from({ length: 12 }, (_, i) => i);
    assert.equal(inWords(row(...twelve)), `[${twelve.join(", ")}]`);
    assert.equal(inWords(row(...twelve, 12)), "13 numbers");
    const expected = { shape: [2, 3, 4], values: Array.from({ length: 24 }, () => 1) };
    for (const [at, place] of [
      [0, "0, 0, 0"],
      [7, "0, 1, 3"],
      [12, "1, 0, 0"],
      [23, "1, 2, 3"],
    ] as const) {
      // biome-ignore format: pairs
      const given = { ...expected, values: expected.values.map((value, i) => (i === at ? -2 : i === 3 ? 0 : value)) };
      assert.equal(differenceInWords(given, expected), `-2 at [${place}], expected 1`);
    }
    assert.equal(differenceInWords(row(1, 2), row(3)), "[1, 2], expected [3]");
  });
});
