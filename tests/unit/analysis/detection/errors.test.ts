import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsByKind, evaluate } from "../../../../src/analysis/detection";
import { annotations, result, type Truth } from "./support";

const square = [10, 10, 40, 40] as const;
const kinds = async (truths: Truth[], results: ReturnType<typeof result>[], kind?: "bbox" | "segm") =>
  (await errorsByKind(annotations(truths), results, { kind })).errors.map((error) => error.kind);

test("every wrong result has one kind, by place and class", async () => {
  const truths = [{ box: square }];
  const near = [10, 10, 40, 15] as const; // an overlap of 0.375
  for (const kind of ["bbox", "segm"] as const) {
    assert.deepEqual(await kinds(truths, [result(square, 1)], kind), []);
    assert.deepEqual(await kinds(truths, [result(square, 1, 1)], kind), ["classification"]);
    assert.deepEqual(await kinds(truths, [result(near, 1)], kind), ["localization"]);
    assert.deepEqual(await kinds(truths, [result(near, 1, 1)], kind), ["both", "missed"]);
    assert.deepEqual(await kinds(truths, [result(square, 1), result(square, 0.5)], kind), ["duplicate"]);
    assert.deepEqual(await kinds(truths, [result([100, 100, 20, 20], 1)], kind), ["background", "missed"]);
    assert.deepEqual(await kinds(truths, [], kind), ["missed"]);
  }
});

test("what falls into a crowd is no error, and crowds are not missed", async () => {
  const crowd = { box: [100, 100, 90, 90] as const, crowd: true };
  assert.deepEqual(
    await kinds([{ box: square }, crowd], [result(square, 1), result([110, 110, 20, 20], 1)]),
    [],
  );
  const beside = [40, 100, 90, 90] as const; // a third of it in the crowd, by its own area less than half
  assert.deepEqual(await kinds([{ box: square }, crowd], [result(square, 1), result(beside, 1)]), [
    "background",
  ]);
  assert.deepEqual(
    await kinds([{ box: square }, crowd], [result(square, 1), result([100, 100, 90, 90], 1, 1)]),
    ["background"],
  );
});

test("an overlap of a tenth is a localization error, of a half a find; of another class below a half both", async () => {
  const truths = [{ box: [0, 0, 100, 100] as const }];
  const high = (height: number, label = 0) => kinds(truths, [result([0, 0, 100, height], 1, label)]);
  assert.deepEqual(await high(9), ["background", "missed"]);
  assert.deepEqual(await high(10), ["localization"]);
  assert.deepEqual(await high(49), ["localization"]);
  assert.deepEqual(await high(50), []);
  assert.deepEqual(await high(9, 1), ["background", "missed"]);
  assert.deepEqual(await high(10, 1), ["both", "missed"]);
  assert.deepEqual(await high(49, 1), ["both", "missed"]);
  assert.deepEqual(await high(50, 1), ["classification"]);
});

test("an error is about the object that it overlaps most, of its own image", async () => {
  const truths = [
    { box: [10, 10, 40, 40] as const },
    { box: [10, 10, 40, 20] as const },
    { box: [10, 10, 40, 12] as const, image: 2 },
  ];
  const [error] = (await errorsByKind(annotations(truths, 2), [result([10, 10, 40, 8], 1)])).errors;
  assert.ok("result" in error);
  assert.deepEqual([error.kind, error.truth, error.iou], ["localization", { ...error.truth, id: 2 }, 0.4]);
});

test("an error knows its result, its object and their overlap", async () => {
  const truth = annotations([{ box: square, image: 2 }], 2);
  const wrong = result([10, 10, 40, 15], 0.7, 0, 2);
  const [error] = (await errorsByKind(truth, [wrong])).errors;
  assert.deepEqual(error, {
    kind: "localization",
    imageId: 2,
    result: wrong,
    truth: truth.annotations[0],
    iou: 0.375,
  });
});

test("a kind costs what AP50 gains when it is mended", async () => {
  const truths = [
    { box: square },
    { box: [100, 10, 40, 40] as const },
    { box: [10, 100, 40, 40] as const, label: 1 },
  ];
  const results = [
    result([150, 150, 20, 20], 0.99), // background, before everything that is right
    result(square, 0.9),
    result([100, 10, 40, 15], 0.8), // localization
    result([10, 100, 40, 40], 0.7, 0), // classification
  ];
  const errors = await errorsByKind(annotations(truths), results);
  assert.deepEqual(
    errors.errors.map(({ kind }) => kind),
    ["background", "localization", "classification"],
  );
  assert.equal(errors.ap50, (await evaluate(annotations(truths), results, { kind: "bbox" })).summary.AP50);
  const precise = (right: number[], truths: number) => {
    // 101 points of recall over a list of right (1) and wrong (0) results
    const hits = right.map((_, i) => right.slice(0, i + 1).reduce((a, b) => a + b, 0));
    const at = (point: number) =>
      Math.max(0, ...hits.map((hit, i) => (hit / truths >= point ? hit / (i + 1) : 0)));
    return Array.from({ length: 101 }, (_, i) => at(i * 0.01)).reduce((a, b) => a + b, 0) / 101;
  };
  const near = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, expected ${expected}`);
  near(errors.ap50, (precise([0, 1, 0, 0], 2) + 0) / 2);
  near(errors.gain.background, (precise([1, 0, 0], 2) + 0) / 2 - errors.ap50);
  near(errors.gain.localization, (precise([0, 1, 1, 0], 2) + 0) / 2 - errors.ap50);
  near(errors.gain.classification, (precise([0, 1, 0], 2) + 1) / 2 - errors.ap50);
  near(errors.gain.missed, 0);
  const other = [100, 10, 40, 40] as const;
  const gains = async (
    own: ReturnType<typeof result>[],
    left: number[],
    kind: "localization" | "missed" | "duplicate",
  ) => {
    const found = await errorsByKind(annotations([{ box: square }, { box: other }]), own);
    near(found.ap50, precise(left, 2));
    near(found.gain[kind], 1 - found.ap50);
  };
  // Of two errors about one object the better one is mended, and the other is gone.
  const twice = [result([10, 10, 40, 15], 0.8), result([10, 10, 40, 16], 0.6), result(other, 0.5)];
  await gains(twice, [0, 0, 1], "localization");
  const between = result([200, 200, 40, 40], 0.7); // mending the worse one would leave this in front of it
  const best = await errorsByKind(annotations([{ box: square }, { box: other }]), [...twice, between]);
  near(best.ap50 + best.gain.localization, precise([1, 0, 1], 2));
  await gains([result(square, 0.9), result(square, 0.8), result(other, 0.7)], [1, 0, 1], "duplicate");
  await gains([result(square, 0.9)], [1], "missed");
  assert.match(String(errors), /localization +1 /);
});

test("of several things that are wrong the place is told first, then the class, then that it is the second", async () => {
  const other = { box: square, label: 1 };
  const far = [10, 10, 40, 15] as const; // 0.375 of the square
  const there = (results: ReturnType<typeof result>[]) => kinds([{ box: square }, other], results);
  const first = result(square, 1);
  assert.deepEqual(
    await there([first, result(square, 0.5)]),
    ["classification"],
    "a second one, of the other's place",
  );
  assert.deepEqual(await there([first, result(square, 0.5, 1), result(square, 0.4)]), ["classification"]);
  assert.deepEqual(
    await kinds([{ box: square }, { box: far, label: 1 }], [first, result(far, 0.5)]),
    ["localization", "missed"],
    "too far off from its class, on another's place",
  );
  assert.deepEqual(
    await kinds([{ box: square }, { box: far, label: 1 }], [first, result(square, 0.5)]),
    ["duplicate", "missed"],
    "a second one, on less than half of another class",
  );
  const crowd = { box: square, label: 1, crowd: true };
  assert.deepEqual(await kinds([{ box: square }, crowd], [first, result(square, 0.5)]), ["duplicate"]);
  // Two of a class in one place: the second result finds the second, and the third is one too many.
  const twins = [{ box: square }, { box: square }];
  assert.deepEqual(await kinds(twins, [first, result(square, 0.5), result(square, 0.4)]), ["duplicate"]);
});
