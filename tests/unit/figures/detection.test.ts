import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsByKind, evaluate } from "../../../src/analysis/detection";
import { detectionErrors, precisionRecall } from "../../../src/figures";
import { annotations, result } from "../analysis/detection/support";

const square = [10, 10, 40, 40] as const;
const truth = annotations([
  { box: square },
  { box: [100, 10, 40, 40] },
  { box: [10, 100, 20, 20], label: 1 },
]);
const good = [result(square, 0.9), result([100, 10, 40, 40], 0.8), result([10, 100, 20, 20], 0.7, 1)];
const poor = [result([12, 10, 40, 40], 0.9), result([150, 150, 20, 20], 0.95), result(square, 0.5, 1)];

const scores = async (kind: "bbox" | "segm" = "bbox") => ({
  ViT: await evaluate(truth, poor, { kind }),
  LUViT: await evaluate(truth, good, { kind }),
});

test("precision over recall has a panel per overlap and a line per detector, with its area above", async () => {
  const { data, layout } = precisionRecall({ scores: await scores() });
  assert.equal(data.length, 8);
  assert.deepEqual(
    data.slice(0, 4).map(({ name, xaxis, showlegend }) => [name, xaxis, showlegend]),
    [
      ["ViT", "x", true],
      ["LUViT", "x", true],
      ["ViT", "x2", false],
      ["LUViT", "x2", false],
    ],
  );
  assert.deepEqual([...new Set(data[1].y)], [1]);
  assert.equal(data[1].x?.at(-1), 1);
  const titles = layout.annotations?.map(({ text }) => text.replace(/<[^>]*>/g, " "));
  assert.match(titles![0], /overlaps 0.5 to 0.95.*AP [\d.]+ \| 100.0/s);
  assert.match(titles![1], /overlap 0.5 .*\| 100.0/s);
  assert.match(layout.meta!.summary, /LUViT AP 100.0 %/);
});

test("panels are classes or sizes where that is asked for, and say where there is no object", async () => {
  const all = await scores();
  const words = (options: object) =>
    precisionRecall({ scores: all, ...options }).layout.annotations!.map(({ text }) =>
      text.replace(/<[^>]*>/g, " "),
    );
  assert.deepEqual(
    words({ by: "class" }).map((text) => text.trim().split(" ")[0]),
    ["a", "b"],
  );
  assert.match(words({ by: "class", classes: ["b"] }).join(), /^ b .*\| 100.0/);
  const sizes = words({ by: "size" });
  assert.match(sizes[3], /large .*no objects/s);
  const { data } = precisionRecall({ scores: all, by: "size" });
  assert.deepEqual([...new Set(data[6].y)], [null]);
});

test("classes that are named have a panel each, however many they are", async () => {
  const classes = Array.from({ length: 14 }, (_, i) => "ab"[i % 2]);
  const { data } = precisionRecall({ scores: await scores(), by: "class", classes });
  assert.equal(data.length, 2 * 14);
});

test("scores of different things, none and unknown classes are refused", async () => {
  const { ViT } = await scores();
  const { LUViT } = await scores("segm");
  assert.throws(
    () => precisionRecall({ scores: { ViT, LUViT } }),
    /scores of different things, bbox of a, b; and segm/,
  );
  assert.throws(() => precisionRecall({ scores: {} }), /there are no scores/);
  assert.throws(
    () => precisionRecall({ scores: { ViT }, classes: ["zebra"], by: "class" }),
    /no class zebra/,
  );
  assert.throws(() => precisionRecall({ scores: { ViT }, ious: [0.42] }), /expected one of 0.5/);
  assert.throws(() => precisionRecall({ scores: { ViT: 3 } } as never), /what coco.evaluate gave/);
});

test("errors have a bar per kind and detector, by cost and by number", async () => {
  const errors = { ViT: await errorsByKind(truth, poor), LUViT: await errorsByKind(truth, good) };
  const { data, layout } = detectionErrors({ errors });
  assert.deepEqual(
    data.map(({ name, xaxis }) => [name, xaxis]),
    [
      ["ViT", "x"],
      ["LUViT", "x"],
      ["ViT", "x2"],
      ["LUViT", "x2"],
    ],
  );
  assert.deepEqual(data[2].x, ["class", "place", "both", "twice", "nothing", "missed"]);
  assert.deepEqual(data[2].y, [1, 0, 0, 0, 1, 2]);
  assert.deepEqual(data[3].y, [0, 0, 0, 0, 0, 0]);
  assert.equal(data[0].y![4], Number((100 * errors.ViT.gain.background).toFixed(2)));
  assert.match(data[0].customdata![0], /^classification: 1, [\d.]+ points of AP50$/);
  assert.match(layout.meta!.summary, /ViT: AP50 [\d.]+, errors \(and points lost\) classification 1/);
  assert.throws(() => detectionErrors({ errors: {} }), /no errors to draw/);
});

test("scores tell the area of any of their curves", async () => {
  const { ViT } = await scores();
  assert.ok(Math.abs(ViT.averagePrecision() - ViT.summary.AP) < 1e-12);
  assert.ok(Math.abs(ViT.averagePrecision({ iou: 0.75 }) - ViT.summary.AP75) < 1e-12);
  assert.ok(Math.abs(ViT.averagePrecision({ size: "medium" }) - ViT.summary.APm) < 1e-12);
  assert.throws(() => ViT.averagePrecision({ size: "huge" } as never), /"all", "small", "medium" or "large"/);
});
