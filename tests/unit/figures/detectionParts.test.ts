import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import sharp from "sharp";
import { DetectionErrors, evaluate } from "../../../src/analysis/detection";
import type { DetectionErrorKind } from "../../../src/analysis/detection/errorKinds";
import { openCoco } from "../../../src/data/coco";
import { fitSquare } from "../../../src/data/transforms";
import { detectionErrors, detections, precisionRecall } from "../../../src/figures";
import { panelParts } from "../../../src/figures/detections/panel";
import { type Shape, type ShapeKind, shapesOf } from "../../../src/figures/detections/shapes";
import { annotations, result } from "../analysis/detection/support";
import { annotation, file } from "../data/coco/support";
import { put, temporaryFolder } from "../data/support";
import { assertRejects } from "../io/support";

const kinds = ["classification", "localization", "both", "duplicate", "background", "missed"] as const;
const none = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<DetectionErrorKind, number>;

describe("what is drawn over an image", () => {
  const truth = annotations(
    [{ box: [10, 10, 40, 40] }, { box: [100, 10, 40, 30], label: 1 }, { box: [0, 0, 5, 5], image: 2 }],
    2,
  );
  const [object, other] = truth.annotations;
  const found = (label = 0, image = 1) => result([12, 10, 40, 20], 0.856, label, image);
  const shapes = (errors: ConstructorParameters<typeof DetectionErrors>[0], kind: "bbox" | "segm" = "bbox", image = 1) =>
    shapesOf(image, truth, new DetectionErrors(errors, 0.5, none, [{ result: found(), truth: object!, iou: 0.756 }], [found(1), found(0, 2)]), kind); // biome-ignore format: one line

  it("is told by what is wrong with it, with its overlap, score and the class that is there", () => {
    const error = (kind: DetectionErrorKind) => ({
      kind,
      imageId: 1,
      result: found(1),
      truth: object!,
      iou: 0.4567,
    });
    const words = shapes(
      kinds.map((kind) => (kind === "missed" ? { kind, imageId: 1, truth: other! } : error(kind))),
    ).map(({ words }) => words);
    assert.deepEqual(words.slice(0, 8), [
      "<b>a 0.86</b><br>right, overlap with its object 0.76",
      "<b>b 0.86</b><br>wrong class, overlap with the a there 0.46",
      "<b>b 0.86</b><br>wrong place, overlap with the a there 0.46",
      "<b>b 0.86</b><br>wrong class and place, overlap with the a there 0.46",
      "<b>b 0.86</b><br>found twice, overlap with the a there 0.46",
      "<b>b 0.86</b><br>nothing of the kind is there, overlap with any object below 0.1",
      "<b>b</b><br>missed, 1200 pixels",
      "<b>b 0.86</b><br>in a crowd: does not count",
    ]);
    assert.deepEqual(words.slice(8), [
      "<b>a</b><br>as labeled, 1600 pixels",
      "<b>b</b><br>as labeled, 1200 pixels",
    ]);
    assert.deepEqual(shapes([]).map(({ kind, tag }) => [kind, tag]), [["right", "a 86"], ["ignored", "b 86"], ["labeled", "a"], ["labeled", "b"]]); // biome-ignore format: one line
    assert.deepEqual(shapes([{ kind: "missed", imageId: 1, truth: other! }], "bbox", 2).map(({ kind }) => kind), ["ignored", "labeled"]); // biome-ignore format: one line
  });

  it("are boxes, or outlines of masks and polygons and the box around them", () => {
    const [box] = shapes([]);
    assert.deepEqual([box!.lines, box!.box], [[[12, 10, 52, 10, 52, 30, 12, 30]], [12, 10, 40, 20]]);
    const [mask, , polygon] = shapes([], "segm");
    assert.deepEqual([mask!.box, polygon!.box], [[12, 10, 40, 20], [10, 10, 40, 40]]); // biome-ignore format: one line
    assert.equal(mask!.lines[0]!.length, 8);
  });

  const shape = (kind: ShapeKind, box: Shape["box"], more: object = {}): Shape => ({ kind, box, lines: [[0, 0, 4.04, 0, 4, 4.06]], tag: "cat 9", words: "w", ...more }); // biome-ignore format: one line
  const panel = (shapes: Shape[], filled = false) => panelParts({ width: 100, height: 50, source: "data:x", shapes, filled }, 1, (kind) => kind !== "wrong"); // biome-ignore format: one line

  it("has a closed line of its color, over a dark one, a legend once, and what is labeled switched off", () => {
    const all = ["right", "wrong", "missed", "crowd", "ignored", "labeled"] as const;
    const { traces, image, axes } = panel(all.map((kind) => shape(kind, [0, 0, 50, 40])));
    const [halo, ...drawn] = traces;
    assert.deepEqual([halo!.x!.length, halo!.showlegend, halo!.opacity], [5 * 4 + 4, false, 0.45], "five that are not only labeled"); // biome-ignore format: one line
    assert.deepEqual([drawn[0]!.x, drawn[0]!.y], [[0, 4, 4, 0], [0, 0, 4.1, 0]]); // biome-ignore format: one line
    assert.deepEqual(drawn.map(({ showlegend }) => showlegend), [true, false, true, true, true, true]); // biome-ignore format: one line
    assert.deepEqual(drawn.map(({ visible }) => visible), [...Array(5).fill(undefined), "legendonly"]); // biome-ignore format: one line
    assert.equal(new Set(drawn.map(({ line }) => line!.color)).size, 6);
    const strength = (filled: boolean) => panel(all.map((kind) => shape(kind, [0, 0, 5, 4])), filled).traces.slice(1).map(({ fillcolor }) => /([\d.]+)\)$/.exec(fillcolor!)![1]); // biome-ignore format: one line
    assert.deepEqual(strength(false), ["0.08", "0.08", "0.18", "0.18", "0.08", "0.08"]);
    assert.deepEqual(strength(true), ["0.34", "0.34", "0.18", "0.18", "0.34", "0.34"]);
    const channels = [1, 3, 5].map((at) => Number.parseInt(drawn[0]!.line!.color!.slice(at, at + 2), 16));
    assert.ok(drawn[0]!.fillcolor!.startsWith(`rgba(${channels.join(", ")}, `));
    assert.deepEqual(
      [image.xref, image.sizex, image.sizey, image.x, image.y, image.source],
      ["x2", 100, 50, 0, 0, "data:x"],
    );
    assert.deepEqual([axes.xaxis2!.range, axes.yaxis2!.range, axes.yaxis2!.scaleanchor], [[0, 100], [50, 0], "x2"]); // biome-ignore format: one line
    const two = panel([shape("right", [0, 0, 5, 5], { lines: [[0, 0, 1, 1], [2, 2, 3, 3]] })]).traces[1]!; // biome-ignore format: one line
    assert.deepEqual(two.x, [0, 1, 0, null, 2, 3, 2]);
  });

  it("has words beside it where there is room: twelve at most, within the image, below its upper edge", () => {
    const tags = (shapes: Shape[]) => panel(shapes).tags;
    const large = (kind: ShapeKind, x = 0, y = 20) => shape(kind, [x, y, 50, 20]);
    assert.deepEqual(tags((["right", "missed", "crowd", "labeled"] as const).map((kind) => large(kind))).map(({ text }) => text), ["cat 9", "cat 9 missed", "cat 9, crowd"]); // biome-ignore format: one line
    assert.deepEqual(
      [tags([shape("right", [0, 0, 10, 20])]), tags([shape("right", [0, 0, 50, 5])])],
      [[], []],
    );
    assert.equal(tags([shape("right", [0, 0, 10.1, 5.1])]).length, 1);
    assert.equal(tags(Array(13).fill(large("right"))).length, 12);
    const [low, high, outside] = tags([large("right", 10, 6), large("right", 10, 5), large("right", -5, 60)]);
    assert.deepEqual(
      [low!.yanchor, high!.yanchor, low!.x, low!.y, low!.xref, low!.yref],
      ["bottom", "top", 10, 6, "x2", "y2"],
    );
    assert.deepEqual([outside!.x, outside!.y], [0, 50]);
  });
});

async function scenes(size = { width: 20, height: 10 }, more: Record<string, unknown> = {}) {
  const root = join(temporaryFolder(), "coco");
  const noise = (width: number, height: number) => sharp(Buffer.alloc(3 * width * height, 90), { raw: { width, height, channels: 3 } }).jpeg().toBuffer(); // biome-ignore format: one line
  await put(
    root,
    "annotations/instances_val.json",
    JSON.stringify(file([annotation(1, { bbox: [1, 1, 4, 4] })], more)),
  );
  await put(root, "val/a.jpg", await noise(size.width, size.height));
  await put(root, "val/sub/b.jpg", await noise(8, 12));
  return openCoco({ root, part: "val", transform: fitSquare(32) });
}

test("results count from a score of 0.3 on, or from the one that is given", async () => {
  const dataset = await scenes();
  const box = [1, 1, 4, 4] as const;
  const at = (score: number) => ({ imageId: 7, categoryId: 44, score, box });
  const summary = async (score: number, options: object = {}) => (await detections({ dataset, results: { a: [at(score)] }, images: [7], ...options })).layout.meta!.summary; // biome-ignore format: one line
  assert.equal(await summary(0.3), "a 1 right, 0 wrong, 0 missed");
  assert.equal(await summary(0.29), "a 0 right, 0 wrong, 1 missed");
  assert.equal(await summary(0.29, { leastScore: 0.29 }), "a 1 right, 0 wrong, 0 missed");
  assert.equal(await summary(0.9, { leastScore: 0.91 }), "a 0 right, 0 wrong, 1 missed");
});

test("images are chosen by their ids, in that order, or by how many; the panels have their shapes", async () => {
  const dataset = await scenes();
  const drawn = (options: object) => detections({ dataset, results: { "<b>": [] }, title: "T", ...options });
  const titles = async (options: object) => (await drawn(options)).layout.annotations!.filter(({ xref }) => xref === "paper").map(({ text }) => text); // biome-ignore format: one line
  assert.deepEqual(await titles({ images: [3, 7] }), ["<b>sub/b.jpg</b><br><sub>0 right, 0 wrong, 0 missed</sub>", "<b>a.jpg</b><br><sub>0 right, 0 wrong, 1 missed</sub>"]); // biome-ignore format: one line
  assert.equal((await titles({ images: 9 })).length, 2);
  assert.equal((await titles({})).length, 2);
  assert.equal((await titles({ images: 1 })).length, 1);
  const { layout } = await drawn({ images: [7, 3] });
  assert.equal(layout.title!.text, "<b>T</b>");
  assert.deepEqual(layout.meta!.panels!.ratio, [0.5, 1.5]);
  assert.equal(layout.meta!.panels!.columns, 3);
  const two = await detections({ dataset, results: { "<b>": [], c: [] }, images: [7] });
  assert.equal(two.layout.meta!.panels!.columns, 2);
  assert.match(
    two.layout.annotations!.find(({ xref }) => xref === "paper")!.text,
    /^<b>&lt;b><\/b><br><sub>a\.jpg: 0 right/,
  );
  await assertRejects(() => drawn({ images: [] }), "bad-argument", "asked for no images");
  await assertRejects(
    () => drawn({ images: [7, 9, 8] }),
    "bad-argument",
    "asked for images 9, 8, which are not",
  );
  const tall = await scenes(
    { width: 10, height: 30 },
    { images: [{ id: 7, file_name: "a.jpg", width: 10, height: 30 }] },
  );
  assert.deepEqual(
    (await detections({ dataset: tall, results: { a: [] }, images: [7] })).layout.meta!.panels!.ratio,
    [2.5],
  );
});

test("an image in a figure is 720 pixels wide at most, and otherwise as wide as it is", async () => {
  for (const [width, shown] of [
    [720, 720],
    [900, 720],
  ] as const) {
    const dataset = await scenes(
      { width, height: 30 },
      { images: [{ id: 7, file_name: "a.jpg", width, height: 30 }] },
    );
    const { layout } = await detections({ dataset, results: { a: [] }, images: [7] });
    const bytes = Buffer.from(layout.images![0]!.source.split(",")[1]!, "base64");
    assert.equal((await sharp(bytes).metadata()).width, shown);
    assert.equal(layout.images![0]!.sizex, width, "its place is that of the annotations");
  }
});

test("errors cost points of AP50, with one decimal below ten", () => {
  const gain = { ...none, classification: 0.0994, localization: 0.0996, both: 0.5, duplicate: -0.012 };
  const errors = (of: object) => new DetectionErrors([], 0.25, of as typeof none, [], []);
  const { data, layout } = detectionErrors({ errors: { LUViT: errors(gain) }, title: "T" });
  assert.deepEqual(data[0]!.text, ["9.9", "10", "50", "−1.2", "0.0", "0.0"]);
  assert.deepEqual((data[0]!.y as number[]).slice(0, 4), [9.94, 9.96, 50, -1.2]);
  assert.deepEqual(data[1]!.text, Array(6).fill("0"));
  assert.deepEqual([layout.title!.text, layout.showlegend], ["<b>T</b>", false]);
  assert.match(
    layout.meta!.summary,
    /^LUViT: AP50 25\.0, errors \(and points lost\) classification 0 \(9\.9\)/,
  );
  const two = detectionErrors({ errors: { a: errors(none), b: errors(gain) } });
  assert.equal(two.layout.showlegend, true);
  assert.deepEqual(two.data.map(({ name, showlegend, legendgroup }) => [name, showlegend, legendgroup]), [["a", true, "a"], ["b", true, "b"], ["a", false, "a"], ["b", false, "b"]]); // biome-ignore format: one line
  assert.deepEqual(two.layout.annotations!.map(({ text }) => text.replace(/<[^>]*>/g, " ").trim().split("  ")[0]), ["AP50 lost", "Number of errors"]); // biome-ignore format: one line
});

test("precision over recall: the overlaps, classes and columns that are asked for, twelve classes where none is", async () => {
  const truth = annotations([{ box: [10, 10, 40, 40] }, { box: [10, 100, 20, 20], label: 1 }]);
  const scores = { LUViT: await evaluate(truth, [result([10, 10, 40, 40], 0.9)], { kind: "bbox" }) };
  const panels = (options: object) => {
    const { layout, data } = precisionRecall({ scores, ...options });
    return {
      titles: layout.annotations!.map(({ text }) => /<b>([^<]*)/.exec(text)![1]),
      columns: layout.meta!.panels!.columns,
      layout,
      data,
    };
  };
  const usual = panels({});
  assert.deepEqual(usual.titles, ["overlaps 0.5 to 0.95", "overlap 0.5", "overlap 0.75", "overlap 0.9"]);
  assert.deepEqual([usual.columns, usual.layout.showlegend, usual.data.length], [4, false, 4]);
  assert.deepEqual(panels({ ious: [0.6, 0.95] }).titles, [
    "overlaps 0.5 to 0.95",
    "overlap 0.6",
    "overlap 0.95",
  ]);
  assert.deepEqual([panels({ ious: [0.6, 0.95] }).columns, panels({ columns: 2 }).columns, panels({ by: "size" }).columns], [3, 2, 4]); // biome-ignore format: one line
  assert.deepEqual(panels({ by: "class", classes: ["b", "a"] }).titles, ["b", "a"]);
  assert.equal(panels({ title: "T" }).layout.title!.text, "<b>T</b>");
  const many = Array.from({ length: 13 }, (_, i) => `class ${i}`);
  const wide = Object.assign(Object.create(Object.getPrototypeOf(scores.LUViT)), scores.LUViT, { classes: many, curves: many.map(() => scores.LUViT.curves[0]) }); // biome-ignore format: one line
  const { layout } = precisionRecall({ scores: { a: wide }, by: "class" });
  assert.equal(layout.annotations!.length, 12);
  const [whole, part] = [usual.data[0]!, panels({ by: "class", classes: ["b"] }).data[0]!];
  assert.deepEqual([whole.x!.length, whole.x![0], whole.x!.at(-1), new Set(part.y).size], [101, 0, 1, 1]);
  assert.match(usual.layout.meta!.summary, /LUViT AP 50\.0 %$/);
});
