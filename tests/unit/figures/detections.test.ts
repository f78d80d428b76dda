import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { type CocoResult, openCoco } from "../../../src/data/coco";
import { fitSquare } from "../../../src/data/transforms";
import { detections, type Figure } from "../../../src/figures";
import { markAt, marksOf, wordsOf } from "../../../src/figures/interactive/browser/marks";
import { withView, zoomTo } from "../../../src/figures/interactive/browser/zoom";
import { placeFigure } from "../../../src/figures/svg/place";
import { renderSvg } from "../../../src/figures/svg/render";
import { annotation, file } from "../data/coco/support";
import { put, temporaryFolder } from "../data/support";
import { assertRejects } from "../io/support";

const crowd = { iscrowd: 1, segmentation: { size: [10, 20], counts: [100, 100] }, bbox: [10, 0, 10, 10] };
const objects = [
  annotation(1, { bbox: [1, 1, 4, 4], segmentation: [[1, 1, 5, 1, 5, 5, 1, 5]] }),
  annotation(2, { bbox: [1, 6, 3, 3], category_id: 3, segmentation: [[1, 6, 4, 6, 4, 9, 1, 9]] }),
  annotation(3, crowd),
];

async function scenes(size = { width: 20, height: 10 }, labeled = objects) {
  const root = join(temporaryFolder(), "coco");
  const noise = (width: number, height: number) =>
    sharp(
      Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 256),
      { raw: { width, height, channels: 3 } },
    )
      .png()
      .toBuffer();
  await put(root, "annotations/instances_val.json", JSON.stringify(file(labeled)));
  await put(root, "val/a.jpg", await noise(size.width, size.height));
  await put(root, "val/sub/b.jpg", await noise(8, 12));
  return openCoco({ root, part: "val", transform: fitSquare(32) });
}

const box = (...[x, y, width, height]: number[]) => [x, y, width, height] as const;
const found = (place: readonly number[], score: number, categoryId = 44): CocoResult => ({
  imageId: 7,
  categoryId,
  score,
  box: box(...place),
  mask: { height: 10, width: 20, counts: Uint32Array.of(11, 4, 6, 4, 6, 4, 6, 4, 155) },
});
const results = [
  found([1, 1, 4, 4], 0.9),
  found([1, 1, 4, 3], 0.8, 3),
  found([12, 2, 4, 4], 0.7),
  found([1, 6, 3, 3], 0.1, 3),
];

/** What can be pointed at, in words. */
const words = (figure: Figure) => marksOf(placeFigure(figure)).map((mark) => wordsOf(mark).join(": "));

test("results are right, wrong or in a crowd, objects found or missed, each with its class, score and overlap", async () => {
  const dataset = await scenes();
  const figure = await detections({ dataset, results: { LUViT: results }, images: [7] });
  assert.deepEqual(words(figure), [
    "bottle 0.90: right, overlap with its object 1.00",
    "car 0.80: wrong class, overlap with the bottle there 0.75",
    "car: missed, 32 pixels",
    "bottle 0.70: in a crowd: does not count",
    "bottle: a crowd: whatever is found in it does not count",
  ]);
  assert.equal(figure.layout.meta?.summary, "LUViT 1 right, 1 wrong, 1 missed");
  assert.equal(figure.layout.showlegend, true, "colors are told");
  assert.deepEqual(
    figure.data.filter(({ showlegend }) => showlegend).map(({ name, visible }) => [name, visible ?? true]),
    [
      ["right", true],
      ["wrong", true],
      ["missed", true],
      ["found in a crowd", true],
      ["as labeled", "legendonly"],
      ["crowd", true],
    ],
  );
  const all = await detections({ dataset, results: { LUViT: results }, images: [7], leastScore: 0 });
  assert.equal(all.layout.meta?.summary, "LUViT 2 right, 1 wrong, 0 missed");
});

test("each image has what is right, wrong, missed and in a crowd in it, and nothing of the others", async () => {
  const narrow = { iscrowd: 1, segmentation: { size: [12, 8], counts: [48, 48] }, bbox: [4, 0, 4, 12] };
  const others = [objects[0]!, objects[1]!, annotation(3, narrow)];
  const moved = others.map((one, i) => ({ ...one, id: 10 + i, image_id: 3 }));
  const mask = { height: 12, width: 8, counts: Uint32Array.of(13, 2, 81) };
  const there = [...results, found([4, 4, 3, 3], 0.6)].map((one) => ({ ...one, imageId: 3, mask }));
  const dataset = await scenes(undefined, [...objects, ...moved]);
  const twice = { LUViT: [...results, ...there] };
  const wordsOfImages = async (images: number[]) =>
    words(await detections({ dataset, results: twice, images }));
  const [first, second] = [await wordsOfImages([7]), await wordsOfImages([3])];
  assert.ok(first.length >= 5 && second.length >= 5);
  assert.deepEqual((await wordsOfImages([7, 3])).sort(), [...first, ...second].sort());
});

test("the smallest box around a place is the one that is pointed at", async () => {
  const figure = await detections({ dataset: await scenes(), results: { LUViT: results }, images: [7] });
  const placed = placeFigure(figure);
  const [panel] = placed.panels;
  const at = (x: number, y: number) => {
    const mark = markAt(marksOf(placed), panel.x(x), panel.y(y));
    return mark && wordsOf(mark)[0];
  };
  assert.deepEqual(
    [at(2, 2), at(2, 4.6), at(18, 8), at(8, 8)],
    ["car 0.80", "bottle 0.90", "bottle", undefined],
  );
});

test("several detectors stand side by side on the same images, masks as they are", async () => {
  const dataset = await scenes();
  const figure = await detections({
    dataset,
    results: { ViT: [], LUViT: [results[0]] },
    kind: "segm",
    images: 2,
  });
  const titles = figure.layout
    .annotations!.filter(({ xref }) => xref === "paper")
    .map(({ text }) => text.replace(/<[^>]*>/g, " "));
  assert.deepEqual(
    titles.map((title) => title.trim().split(/ +/).slice(0, 3).join(" ")),
    ["ViT a.jpg: 0", "LUViT a.jpg: 1", "ViT sub/b.jpg: 0", "LUViT sub/b.jpg: 0"],
  );
  assert.equal(figure.layout.images?.length, 4);
  const mask = figure.data.find(({ name }) => name === "right")!;
  assert.deepEqual(
    [mask.x, mask.y],
    [
      [1, 5, 5, 1, 1],
      [1, 1, 5, 5, 1],
    ],
  );
  assert.match(mask.fillcolor!, /, 0.34\)$/);
});

test("every form of the figure has its images: Plotly's JSON, SVG, PDF, PNG, a page", async () => {
  const figure = await detections({ dataset: await scenes(), results: { LUViT: results }, images: [7] });
  const folder = temporaryFolder();
  const saved = async (name: string) => readFileSync(await figure.save(join(folder, name)), "latin1");
  assert.match(await saved("a.json"), /"images":\[\{"source":"data:image\/jpeg;base64,/);
  assert.match(await saved("a.svg"), /<image x="8" [^>]*href="data:image\/jpeg;base64,/);
  const pdf = await saved("a.pdf");
  assert.match(pdf, /\/XObject\/Subtype\/Image\/Width 20\/Height 10\/ColorSpace\/DeviceRGB/);
  assert.match(pdf, /\/XObject<<\/I0 8 0 R>>/);
  assert.match(await saved("a.html"), /data:image\/jpeg;base64,/);
  const png = await sharp(await figure.save(join(folder, "a.png"))).stats();
  assert.ok(png.channels[0].stdev > 20);
});

test("a rectangle zooms into an image without turning it over", async () => {
  const figure = await detections({ dataset: await scenes(), results: { LUViT: results }, images: [7] });
  const placed = placeFigure(figure);
  const [panel] = placed.panels;
  const rectangle = [panel.x(2), panel.y(2), panel.x(12), panel.y(7)] as const;
  const ranges = zoomTo(figure, new Map(), panel, rectangle);
  const rounded = (name: "xaxis" | "yaxis") => ranges.get(name)!.map((end) => Math.round(end));
  assert.deepEqual(
    [rounded("xaxis"), rounded("yaxis")],
    [
      [2, 12],
      [7, 2],
    ],
  );
  assert.match(renderSvg(withView(figure, ranges, new Set())), /<image /);
});

test("images that would have to be fetched are not drawn, and PDF takes JPEG alone", async () => {
  const figure = await detections({ dataset: await scenes(), results: { LUViT: results }, images: [7] });
  const [image] = figure.layout.images!;
  const withSource = (source: string) => ({
    ...figure,
    layout: { ...figure.layout, images: [{ ...image, source }] },
  });
  assert.doesNotMatch(renderSvg(withSource("https://example.com/a.png")), /<image/);
  const { figurePdf } = await import("../../../src/figures/pdf/figurePdf");
  assert.throws(() => figurePdf(withSource("data:image/png;base64,AAAA")), /images other than JPEG/);
});

test("images that are not there, or of another size, and results of nobody are refused", async () => {
  const dataset = await scenes();
  await assertRejects(
    () => detections({ dataset, results: { a: [] }, images: [5] }),
    "bad-argument",
    "images 5, which are not in the set",
  );
  await assertRejects(() => detections({ dataset, results: {} }), "bad-argument", "results of no detector");
  await assertRejects(
    () => detections({ dataset, results: { a: 3 } } as never),
    "bad-argument",
    "a list of results",
  );
  for (const [width, height] of [
    [10, 20],
    [20, 11],
    [19, 10],
  ]) {
    const other = await scenes({ width: width!, height: height! });
    const message = `a.jpg has ${width} x ${height} pixels, its annotations are for 20 x 10`;
    await assertRejects(
      () => detections({ dataset: other, results: { a: [] }, images: [7] }),
      "bad-image",
      message,
    );
  }
});
