import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import {
  DetectionErrors,
  DetectionScores,
  errorsByKind,
  evaluate,
  table2,
} from "../../../../src/analysis/detection";
import { readResultsTable, resultsTable } from "../../../../src/analysis/detection/resultsTable";
import { Table2 } from "../../../../src/analysis/detection/table2";
import { inTurns } from "../../../../src/analysis/detection/turns";
import { showWorkWith } from "../../../../src/core/progress";
import { CocoAnnotations } from "../../../../src/data/coco";
import { writeTable } from "../../../../src/io/tables/table";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError } from "../../nn/support";
import { annotations, result } from "./support";

afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const near = (actual: number, expected: number, what?: string) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${what}: ${actual}, expected ${expected}`);
const square = [10, 10, 40, 40] as const;
const other = [100, 10, 40, 40] as const;

test("recall is counted over the best one, ten and hundred results of an image, or over as many as are asked for", async () => {
  const truth = annotations([{ box: square }, { box: other }]);
  const both = [result(square, 0.9), result(other, 0.8)];
  const of = async (maxDetections?: [number, number, number]) => {
    const { AR1, AR10, AR100 } = (await evaluate(truth, both, { kind: "bbox", maxDetections })).summary;
    return [AR1, AR10, AR100];
  };
  assert.deepEqual(await of(), [0.5, 1, 1]);
  assert.deepEqual(await of([1, 1, 2]), [0.5, 0.5, 1]);
  assert.deepEqual(await of([1, 1, 1]), [0.5, 0.5, 0.5]);
  const { mask: _, ...wrong } = result([150, 100, 20, 20], 0.9);
  const late = [...new Array(120).fill(wrong), result(square, 0.1)];
  const recall = async (most: number) =>
    (await evaluate(truth, late, { kind: "bbox", maxDetections: [1, 10, most] })).summary.AR100;
  assert.deepEqual([await recall(100), await recall(120), await recall(121)], [0, 0, 0.5]);
  for (const maxDetections of [[1, 2], [1, 1.5, 2], [0, 1, 2], [2, 1, 3], [1, 2, 3, 4]]) // biome-ignore format: one list
    await assert.rejects(
      evaluate(truth, both, { kind: "bbox", maxDetections: maxDetections as never }),
      isLuvitError("bad-argument", "three rising whole numbers from 1"),
    );
});

/** A small object that is found, a medium one that is not, and half of a large one. */
async function threeSizes(): Promise<DetectionScores> {
  const truth = annotations([
    { box: [0, 0, 20, 20] },
    { box: [100, 0, 40, 40] },
    { box: [0, 100, 100, 100] },
    { box: square, label: 1, image: 2 },
  ], 2); // biome-ignore format: a line each
  const found = [
    result([0, 0, 20, 20], 0.9),
    result([0, 100, 100, 50], 0.8),
    result([10, 10, 40, 29], 0.7, 1, 2),
  ];
  return evaluate(truth, found, { kind: "bbox" });
}

test("each number is over its own sizes and overlaps", async () => {
  const scores = await threeSizes();
  const a = scores.ofClass("a");
  const expected = { APs: 1, APm: 0, APl: 0.1, ARs: 1, ARm: 0, ARl: 0.1 };
  for (const [name, value] of Object.entries(expected)) near(a[name as "AP"], value, name);
  const b = scores.ofClass("b"); // an overlap of 0.725: enough up to 0.7
  for (const [name, value] of Object.entries({ AP: 0.5, AP50: 1, AP75: 0, APm: 0.5, AR100: 0.5 }))
    near(b[name as "AP"], value, name);
  assert.ok(Number.isNaN(b.APs) && Number.isNaN(b.APl));
  near(scores.summary.APm, 0.25, "the mean over both classes");
  const choices: [object, number][] = [
    [{ label: "b" }, 0.5],
    [{ label: "b", iou: 0.7 }, 1],
    [{ label: "b", iou: 0.75 }, 0],
    [{ label: "a", size: "small" }, 1],
    [{ label: "a", size: "large", iou: 0.5 }, 1],
    [{ size: "large", iou: 0.55 }, 0],
    [{ size: "medium", iou: 0.5 }, 0.5],
    [{}, scores.summary.AP],
  ];
  for (const [choice, value] of choices) {
    near(scores.averagePrecision(choice), value, JSON.stringify(choice));
    const { precision, recall } = scores.precisionRecall(choice);
    near(precision.reduce((sum, x) => sum + x / 101, 0), value, JSON.stringify(choice)); // biome-ignore format: one call
    assert.deepEqual([recall[0], recall[100], recall.length], [0, 1, 101]);
  }
  assert.ok(Number.isNaN(scores.averagePrecision({ label: "b", size: "large" })));
  assert.throws(
    () => scores.averagePrecision({ size: "huge" } as never),
    isLuvitError("bad-argument", "size"),
  );
  const rows = scores.perClass().toArray().map((row) => ({ ...row.toJSON() })); // biome-ignore format: one call
  assert.deepEqual(Object.keys(rows[0]).slice(-7), ["class", "AP", "AP50", "AP75", "APs", "APm", "APl"]);
  assert.deepEqual([rows[1].class, rows[1].AP75, rows[1].APs], ["b", 0, null]);
  for (const value of [rows[0].APs, rows[1].AP50, 2 * rows[1].AP])
    assert.ok(Math.abs(value - 100) < 1e-9, "percent");
});

test("where nothing is said, ten and a hundred results of an image and class count", async () => {
  const truth = annotations([{ box: square }]);
  const { mask: _, ...wrong } = result([150, 100, 20, 20], 0.9);
  const behind = async (before: number) => {
    const all = [...new Array(before).fill(wrong), result(square, 0.1)];
    const { AR1, AR10, AR100 } = (await evaluate(truth, all, { kind: "bbox" })).summary;
    return [AR1, AR10, AR100];
  };
  assert.deepEqual(await behind(9), [0, 1, 1]);
  assert.deepEqual(await behind(10), [0, 0, 1]);
  assert.deepEqual(await behind(99), [0, 0, 1]);
  assert.deepEqual(await behind(100), [0, 0, 0]);
});

test("results of several images are ranked together, each with what it has found in its own", async () => {
  const truth = annotations([{ box: square }, { box: square, image: 2 }], 2);
  const found = [result(square, 0.9), result(other, 0.8, 0, 2), result(square, 0.7, 0, 2)];
  const { AP50, AR100 } = (await evaluate(truth, found, { kind: "bbox" })).summary;
  // Right, wrong, right: half of the objects at a precision of 1, the rest at two thirds.
  near(AP50, (51 + (50 * 2) / 3) / 101);
  assert.equal(AR100, 1);
});

test("scores and tables are made of what they are made of", () => {
  assert.throws(() => new DetectionScores({} as never), isLuvitError("bad-argument", "DetectionScores"));
  assert.throws(() => new Table2(3 as never), isLuvitError("bad-argument", "Table2", "coco.table2"));
  const { table } = new Table2([{ model: "mine", code: "luvit", source: "own", bbox: { AP: 1, AP75: 3 } }]);
  const { model, code, source, boxAP, boxAP50, boxAP75, maskAP } = table.toArray()[0];
  assert.deepEqual([model, code, source, boxAP, boxAP50, boxAP75, maskAP], ["mine", "luvit", "own", 1, null, 3, null]); // biome-ignore format: one row
  assert.match(
    String(new Table2([])),
    /^Table 2: ViTDet with Mask R-CNN on COCO's val2017, percent\ndetector /,
  );
});

test("scores say what they are of: the images, the classes, the kind, and who made them", async () => {
  const scores = await threeSizes();
  assert.match(String(scores), /^COCO's scores of boxes, 2 images, 2 classes, percent\n/);
  const truth = annotations([{ box: square }]);
  const about = { model: "m", recipe: "r", seed: 3 };
  for (const [data, expected] of [
    ["mine", "mine"],
    [undefined, "segm"],
  ]) {
    const made = await evaluate(truth, [], { kind: "segm", ...about, data });
    assert.match(String(made), /scores of masks, 1 images/);
    const { model, recipe, seed, data: kept } = made.table.toArray()[0];
    assert.deepEqual([model, recipe, seed, kept], ["m", "r", 3, expected]);
  }
});

test("of classes of one name none is taken for the other", async () => {
  const images = [{ id: 1, fileName: "0.jpg", width: 200, height: 200 }];
  const truth = new CocoAnnotations(images, [{ id: 1, name: "a" }, { id: 2, name: "a" }], []); // biome-ignore format: two classes
  const scores = await evaluate(truth, [], { kind: "bbox" });
  assert.throws(() => scores.ofClass("a"), isLuvitError("bad-argument", "several classes have the name a"));
});

test("right results know what they have found, those in crowds are told apart", async () => {
  const crowd = { box: [100, 100, 90, 90] as const, crowd: true };
  const truth = annotations([{ box: square }, { box: other }, crowd]);
  const found = [result([100, 10, 40, 30], 0.9), result([110, 110, 20, 20], 0.8), result(square, 0.7)];
  const { right, inCrowds, errors, ap50 } = await errorsByKind(truth, found);
  assert.deepEqual(right, [
    { result: found[0], truth: truth.annotations[1], iou: 0.75 },
    { result: found[2], truth: truth.annotations[0], iou: 1 },
  ]);
  assert.deepEqual([inCrowds, errors, ap50], [[found[1]], [], 1]);
});

test("errors are those of boxes unless masks are asked for, of the best hundred results of an image", async () => {
  const truth = annotations([{ box: square }]);
  const shifted = { ...result(square, 1), mask: result(other, 1).mask };
  const kinds = async (kind?: "bbox" | "segm") =>
    (await errorsByKind(truth, [shifted], { kind })).errors.map((error) => error.kind);
  assert.deepEqual(await kinds(), []);
  assert.deepEqual(await kinds("bbox"), []);
  assert.deepEqual(await kinds("segm"), ["background", "missed"]);
  const { mask: _, ...wrong } = result([150, 100, 20, 20], 0.5);
  const many = await errorsByKind(truth, new Array(105).fill(wrong));
  assert.deepEqual([many.count("background"), many.count("missed")], [100, 1]);
});

test("errors print with their counts and what they cost, in percent", () => {
  const gain = {
    classification: 0.1,
    localization: 0.02,
    both: 0,
    duplicate: 0.305,
    background: 1,
    missed: 0.5,
  };
  const one = { kind: "duplicate", imageId: 1 } as const;
  const text = String(new DetectionErrors([one, one], 0.423, gain, [], []));
  assert.match(text, /^AP50 42\.3\nerror +count +AP50 lost\n/);
  assert.match(text, /classification +0 +10\.0\nlocalization +0 +2\.0\nboth +0 +0\.0\nduplicate +2 +30\.5\n/);
  assert.match(text, /background +0 +100\.0\nmissed +0 +50\.0$/);
});

test("a comparison is shown class by class, with how it ended", async () => {
  const truth = annotations([{ box: square }]);
  const seen: unknown[] = [];
  showWorkWith(({ label, total, kept }) => {
    seen.push([label, total, kept]);
    return { advance: (done) => void seen.push(done), end: (state) => void seen.push(state) };
  });
  await evaluate(truth, [], { kind: "bbox" });
  await evaluate(truth, [], { kind: "segm" });
  await errorsByKind(truth, []);
  assert.deepEqual(seen, [
    ["scores of boxes, classes", 2, 0], 1, 2, "done",
    ["scores of masks, classes", 2, 0], 1, 2, "done",
    ["errors, classes", 2, 0], 1, 2, "done",
  ]); // biome-ignore format: a line each
  const stop = new AbortController();
  const failing = async () => {
    throw new Error("no");
  };
  await assert.rejects(inTurns("one", 1, undefined, failing), /no/);
  await assert.rejects(inTurns("other", 1, stop.signal, async () => {
    stop.abort();
    return failing();
  })); // biome-ignore format: one call
  assert.deepEqual(seen.slice(12), [["one, classes", 1, 0], "failed", ["other, classes", 1, 0], "stopped"]);
});

test("what was found is read as it was kept, with masks and without", async () => {
  const [full, plain] = [result([1, 2, 30, 4.5], 0.123456789), { ...result([5, 6, 7, 8], 1, 1, 2) }];
  const wide = { ...full, mask: { height: 3, width: 5, counts: Uint32Array.of(4, 2, 9) } };
  const { mask: _, ...boxOnly } = plain;
  const file = join(temporaryFolder(), "found.arrow");
  await writeTable(file, resultsTable([full, boxOnly, wide]));
  assert.deepEqual(await readResultsTable(file), [full, boxOnly, wide]);
  await writeTable(file, resultsTable([]));
  assert.deepEqual(await readResultsTable(file), []);
});

test("scores count as those of val2017 where its 5000 images and 80 classes are looked at, and no others", async () => {
  const classes = Array.from({ length: 80 }, (_, i) => ({ id: i + 1, name: `c${i}` }));
  const images = Array.from({ length: 5000 }, (_, i) => ({ id: i + 1, fileName: "x", width: 9, height: 9 }));
  const source = async (of: typeof images, names: typeof classes) => {
    const segm = await evaluate(new CocoAnnotations(of, names, []), [], { kind: "segm" });
    return table2({ mine: { segm } }).table.toArray().at(-1)!;
  };
  const own = await source(images, classes);
  assert.deepEqual([own.source, own.maskAP, own.data], ["own", null, "COCO"]);
  assert.match((await source(images.slice(1), classes)).source, /not val2017: 4999 images, 80 classes/);
  assert.match((await source(images, classes.slice(1))).source, /not val2017: 5000 images, 79 classes/);
  const segm = await evaluate(annotations([]), [], { kind: "segm" });
  assert.throws(() => table2({ mine: { bbox: segm } }), isLuvitError("bad-argument", "bbox of mine"));
});
