import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { evaluate } from "../../../../src/analysis/detection";
import { decodeMask, encodeMask, maskArea, rleText } from "../../../../src/core/masks";
import { cocoCategories, readAnnotations, readResults, writeResults } from "../../../../src/data/coco";
import { assertRejects } from "../../io/support";
import { temporaryFolder } from "../support";
import { annotation, file, written } from "./support";

const folder = temporaryFolder();

test("labels are positions in the order of ids, objects keep the order of the file", async () => {
  const truth = await readAnnotations(
    written(file([annotation(5), annotation(2, { image_id: 3, category_id: 3 }), annotation(9)])),
  );
  assert.deepEqual(truth.classes, ["car", "bottle"]);
  assert.deepEqual([truth.label(3), truth.label(44), truth.label(1)], [0, 1, undefined]);
  assert.deepEqual(
    truth.of(7).map(({ id }) => id),
    [5, 9],
  );
  assert.equal(truth.image(3).fileName, "sub/b.jpg");
  assert.throws(() => truth.image(4), /there is no image 4; 2 others are/);
});

test("annotations may come before the images they are of", async () => {
  const { images, annotations, categories } = file([annotation(1)]);
  const truth = await readAnnotations(written({ annotations, categories, images }));
  assert.equal(truth.of(7).length, 1);
});

test("an outline as polygons, as runs and as a text of runs is one mask", async () => {
  const polygons = await readAnnotations(written(file([annotation(1)])));
  const mask = polygons.mask(polygons.annotations[0]);
  const asList = { size: [10, 20], counts: [...mask.counts] };
  const asText = { size: [10, 20], counts: rleText(mask) };
  const truth = await readAnnotations(
    written(file([annotation(1, { segmentation: asList }), annotation(2, { segmentation: asText })])),
  );
  for (const one of truth.annotations) assert.deepEqual(truth.mask(one), mask);
  assert.equal(maskArea(mask), 28); // as pycocotools draws it; the area is 32
});

test("a file without outlines knows boxes alone, and says so where a mask is asked for", async () => {
  const truth = await readAnnotations(written(file([annotation(1, { segmentation: undefined })])));
  assert.equal(truth.annotations[0].segmentation, undefined);
  assert.throws(() => truth.mask(truth.annotations[0]), /annotation 1 has no segmentation, only a box/);
});

test("COCO's 80 classes stand in the order of their ids", () => {
  const ids = cocoCategories.map(({ id }) => id);
  assert.equal(ids.length, 80);
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  );
  assert.deepEqual(
    [cocoCategories[0], cocoCategories[79]],
    [
      { id: 1, name: "person" },
      { id: 90, name: "toothbrush" },
    ],
  );
});

test("results are written as COCO has them, boxes or masks, and read again", async () => {
  const truth = await readAnnotations(written(file([annotation(1)])));
  const mask = encodeMask(
    Uint8Array.from({ length: 200 }, (_, i) => Number(i % 3 === 0)),
    10,
    20,
  );
  const results = Array.from({ length: 2500 }, (_, i) => ({
    imageId: 7,
    categoryId: 44,
    score: i / 2500,
    box: [i / 7, 1, 2.5, 3] as const,
    mask,
  }));
  const path = join(folder, "results.json");
  await writeResults(path, results, "bbox");
  assert.deepEqual(
    await readResults(path, truth),
    results.map(({ mask: _, ...result }) => result),
  );
  await writeResults(path, results, "segm");
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8"))[1], {
    image_id: 7,
    category_id: 44,
    segmentation: { size: [10, 20], counts: rleText(mask) },
    score: 1 / 2500,
  });
  const [first] = await readResults(path, truth);
  assert.deepEqual(decodeMask(first.mask!), decodeMask(mask));
  await writeResults(path, [], "bbox");
  assert.deepEqual(await readResults(path, truth), []);
  await assertRejects(
    () => writeResults(path, [{ imageId: 7, categoryId: 3, score: 1 }], "segm"),
    "bad-argument",
    "result 0 has no mask",
  );
});

test("results that are none are refused, all at once", async () => {
  const truth = await readAnnotations(written(file([annotation(1)])));
  const good = { image_id: 7, category_id: 3, score: 0.5, bbox: [1, 2, 3, 4] };
  const path = written([
    good,
    { ...good, image_id: 1, category_id: 99 },
    { ...good, score: null },
    { ...good, bbox: undefined },
    { ...good, segmentation: [[1, 1, 5, 5, 1, 5]] },
    { ...good, segmentation: { size: [4, 4], counts: "`0" } },
  ]);
  const lines = [
    "5 entries",
    "results[1]: image_id: there is no image 1; category_id: there is no category 99",
    "results[2]: score: expected a number, got null",
    "results[3]: neither bbox nor segmentation",
    "results[4]: segmentation: polygons, where results have { size, counts }",
    "results[5]: segmentation: a mask of size [4, 4] of an image of [10, 20]",
  ];
  for (const line of lines) await assertRejects(() => readResults(path, truth), "bad-dataset", line);
  await assertRejects(() => readResults(written(file([])), truth), "bad-dataset", 'an object with "info"');
});

test("some of the images are scored alone: what lies in the others is not missed", async () => {
  const truth = await readAnnotations(written(file([annotation(1), annotation(2, { image_id: 3 })])));
  const some = truth.only([3, 3]);
  assert.deepEqual(
    [some.images.length, some.annotations.map(({ id }) => id), some.classes],
    [1, [2], truth.classes],
  );
  const { box } = truth.annotations[1];
  const { summary } = await evaluate(some, [{ imageId: 3, categoryId: 44, score: 1, box }], { kind: "bbox" });
  assert.ok(summary.AP > 0.999);
  assert.throws(() => truth.only([4]), /there is no image 4/);
});
