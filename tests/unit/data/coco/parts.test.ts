import assert from "node:assert/strict";
import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { encodeMask } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import {
  CocoAnnotations,
  cocoCategories,
  expectResults,
  openCoco,
  readAnnotations,
  readResults,
} from "../../../../src/data/coco";
import { segmentationOf } from "../../../../src/data/coco/segmentation";
import { decodeImage } from "../../../../src/data/reading";
import { fitSquare, largeScaleJitter } from "../../../../src/data/transforms";
import { assertRejects } from "../../io/support";
import { isLuvitError } from "../../nn/support";
import { flatPng, put, temporaryFolder } from "../support";
import { annotation, categories, file, images, written } from "./support";

/** Of instances_val2017.json; numbers are where ids have gaps. */
const published = `
  person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant 13 stop_sign parking_meter bench
  bird cat dog horse sheep cow elephant bear zebra giraffe 27 backpack umbrella 31 handbag tie suitcase frisbee skis
  snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle 46 wine_glass cup fork
  knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed
  67 dining_table 70 toilet 72 tv laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator
  84 book clock vase scissors teddy_bear hair_drier toothbrush`;

test("COCO's classes have their published names and ids", () => {
  let id = 1;
  const expected = published
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      if (/^\d+$/.test(word)) {
        id = Number(word);
        return [];
      }
      return [{ id: id++, name: word.replaceAll("_", " ") }];
    });
  assert.deepEqual(cocoCategories, expected);
});

/** Two images and an object in each, in one of COCO's layouts. */
async function set(change: Record<string, unknown> = {}, more: unknown[] = []): Promise<string> {
  const root = join(temporaryFolder(), "coco");
  const objects = [annotation(1), annotation(2, { image_id: 3, segmentation: undefined }), ...more];
  await put(root, "annotations/instances_val.json", JSON.stringify(file(objects, change)));
  await put(root, "val/a.jpg", await flatPng(20, 10, [10, 20, 30]));
  await put(root, "val/sub/b.jpg", await flatPng(8, 12, [40, 50, 60]));
  return root;
}

test("annotations are found beside the images too, and images below images; other parts are named", async () => {
  const root = await set();
  const one = await openCoco({ root, part: "val" });
  assert.deepEqual([one.size, one.transform.spec.kind], [1024, "fit"]);
  cpSync(join(root, "annotations", "instances_val.json"), join(root, "instances_val.json"));
  renameSync(join(root, "annotations"), join(root, "elsewhere"));
  await put(root, "images/here.txt", "");
  renameSync(join(root, "val"), join(root, "images", "val"));
  const two = await openCoco({ root, part: "val", transform: fitSquare(32) });
  assert.deepEqual([two.root, two.length, two.size], [join(root, "images", "val"), 2, 32]);
  assert.equal(two.path(1), join(root, "images", "val", "sub", "b.jpg"));
  await put(root, "annotations/instances_a.json", "");
  await assertRejects(
    () => openCoco({ root, part: "train" }),
    "missing-file",
    `${join(root, "annotations", "instances_train.json")} and ${join(root, "instances_train.json")}, which are not there`,
    "; there are annotations of a, val",
  );
  await assertRejects(
    () => openCoco({ root, part: "a" }),
    "missing-file",
    "looked for the images at",
    "images/a",
  );
  for (const options of [{ root }, { part: "val" }, { images: "x" }, { root, part: "val", images: "x" }])
    await assertRejects(
      () => openCoco(options),
      "bad-argument",
      "give root and part, or images and annotations",
    );
});

test("views of a set are of the same images in their squares, positions that are not there are refused", async () => {
  const data = await openCoco({ root: await set(), part: "val", transform: fitSquare(40) });
  const turned = data.subset([1, 0, 1]);
  assert.deepEqual(
    [0, 1, 2].map((i) => turned.images[i].id),
    [3, 7, 3],
  );
  assert.deepEqual(
    [turned.size, turned.truth, turned.cache, turned.report],
    [40, data.truth, data.cache, data.report],
  );
  const sample = await turned.load(0, new Rng(0));
  assert.deepEqual([sample.imageId, sample.index, sample.label, sample.path], [3, 0, 0, data.path(1)]);
  assert.deepEqual(sample.polygons, [undefined], "a box alone has no outline");
  const jittered = turned.withTransform(largeScaleJitter(16, { scale: [0.5, 3] }));
  assert.deepEqual([jittered.size, jittered.length, data.take(1).length], [16, 3, 1]);
  assert.deepEqual(jittered.transform.spec, {
    kind: "jitter",
    size: 16,
    scale: [0.5, 3],
    expected: undefined,
  });
  for (const index of [-1, 2, 0.5]) {
    assert.throws(() => data.path(index), isLuvitError("bad-argument", `image ${index} does not exist`));
    assert.throws(() => data.subset([index]), isLuvitError("bad-argument", `${index}`));
    await assert.rejects(data.load(index, new Rng(0)), isLuvitError("bad-argument", `${index}`));
  }
  assert.equal(inspect(data), `DetectionDataset(${data.root}) 2 images, 2 classes, fit 40 px`);
  data.report.add("x", "x: broken");
  assert.match(inspect(data), /fit 40 px, 1 unreadable$/);
});

test("pixels are kept up to a budget, none where there is none, turned as their file says unless that is not wanted", async () => {
  const root = await set();
  for (const [cache, held] of [
    [undefined, 3 * 20 * 10],
    [false, 0],
    [599, 0],
  ] as const) {
    const data = await openCoco({ root, part: "val", transform: fitSquare(16), cache });
    await data.load(0, new Rng(0));
    assert.equal(data.cache.bytes, held);
  }
  const sharp = (await import("sharp")).default;
  const turned = await sharp(Buffer.from((await decodeImage(await flatPng(10, 20, [200, 0, 0]))).data), {
    raw: { width: 10, height: 20, channels: 3 },
  })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  await put(root, "val/a.jpg", turned); // 20 x 10 when it is turned
  const load = async (exif?: "honor" | "ignore") =>
    (await openCoco({ root, part: "val", transform: fitSquare(16), exif })).load(0, new Rng(0));
  assert.deepEqual(
    [(await load()).index, (await load("honor")).index, (await load("ignore")).index],
    [0, 0, 1],
  );
});

test("annotations print their counts, what was left out, and notes", async () => {
  const bad = annotation(3, { category_id: 5 });
  const truth = await readAnnotations(written(file([annotation(1), bad, annotation(4, { id: 0 })])), {
    invalid: "leave-out",
  });
  assert.equal(
    inspect(truth),
    "CocoAnnotations 2 images, 2 objects of 2 classes, 1 left out\n" +
      "  1 annotation has id 0, which pycocotools takes for no match and this library does not",
  );
  const some = truth.only([3]);
  assert.deepEqual([some.leftOut, some.of(7), some.has(7), some.has(3)], [truth.leftOut, [], false, true]);
  assert.match(inspect(some), /1 images, 0 objects of 2 classes, 1 left out\n {2}1 file without objects/);
  const fine = await readAnnotations(written(file([annotation(1)])));
  assert.equal(inspect(fine), "CocoAnnotations 2 images, 1 objects of 2 classes");
  const crowd = { iscrowd: 1, segmentation: { size: [10, 20], counts: [0, 200] } };
  const mixed = await readAnnotations(written(file([annotation(1, crowd), annotation(2)])));
  assert.deepEqual(mixed.notes(), [], "an image with a crowd and an object has not crowds alone");
});

test("fields may be what they may be up to their borders", async () => {
  const accepted: [Record<string, unknown>, string, unknown][] = [
    [{ iscrowd: true }, "crowd", true],
    [{ iscrowd: false }, "crowd", false],
    [{ iscrowd: null }, "crowd", false],
    [{ iscrowd: undefined }, "crowd", false],
    [{ iscrowd: 1, segmentation: undefined }, "crowd", true],
    [{ bbox: [-1e6, 1e6, 0, 1e6] }, "box", [-1e6, 1e6, 0, 1e6]],
    [{ area: 0 }, "area", 0],
  ];
  for (const [change, name, value] of accepted) {
    const { annotations } = await readAnnotations(written(file([annotation(1, change)])));
    assert.deepEqual(annotations[0][name as "box"], value, JSON.stringify(change));
  }
  const refused: Record<string, unknown>[] = [
    { iscrowd: 2 },
    { iscrowd: "1" },
    { bbox: [-1e6 - 1, 0, 1, 1] },
    { bbox: [0, 0, 1e6 + 1, 1] },
    { bbox: [0, 0, 1, -1e-9] },
    { bbox: [0, 0, 1] },
    { bbox: [0, 0, 1, 1, 1] },
    { area: -1e-9 },
    { id: 2 ** 53 },
    { image_id: 7.5 },
  ];
  for (const change of refused)
    await assertRejects(
      () => readAnnotations(written(file([annotation(1, change)]))),
      "bad-dataset",
      "1 entry is not",
    );
  const sized = (width: number) => file([], { images: [{ ...images[0], width }] });
  assert.equal((await readAnnotations(written(sized(16_384)))).images[0].width, 16_384);
  await assertRejects(
    () => readAnnotations(written(sized(16_385))),
    "bad-dataset",
    "a whole number from 1 to 16384",
  );
  const names = (name: unknown) => file([], { categories: [{ ...categories[0], name }] });
  for (const name of ["", 7, null])
    await assertRejects(() => readAnnotations(written(names(name))), "bad-dataset", "name: expected a text");
  for (const inside of ["..a.jpg", "a..b/c.jpg", "a/..b.jpg", "cc:d.jpg"]) {
    const named = file([], { images: [{ ...images[0], file_name: inside }] });
    assert.equal((await readAnnotations(written(named))).images[0].fileName, inside);
  }
  for (const outside of ["..", "a/../../b.jpg", "a\\..\\b", "\\x.jpg", "a\0b"]) {
    const named = file([], { images: [{ ...images[0], file_name: outside }] });
    await assertRejects(() => readAnnotations(written(named)), "bad-dataset", "leads out of the folder");
  }
});

test("outlines of as many numbers, and corners as far away, as may be are read", () => {
  const [corners] = segmentationOf([[0, 0, 1, 0, 1, 1]]) as Float64Array[];
  assert.deepEqual(corners, Float64Array.of(0, 0, 1, 0, 1, 1));
  assert.deepEqual(segmentationOf([]), []);
  assert.deepEqual(segmentationOf({ size: [0, 0], counts: [] }), {
    height: 0,
    width: 0,
    counts: new Uint32Array(0),
  });
  assert.deepEqual(segmentationOf({ size: [2, 3], counts: [1, 5] }), {
    height: 2,
    width: 3,
    counts: Uint32Array.of(1, 5),
  });
  for (const far of [1_000_000.5, -1_000_001])
    assert.throws(
      () => segmentationOf([[0, 0, far, 0, 1, 1]]),
      isLuvitError("bad-argument", `a corner at ${far}`),
    );
  for (const [wrong, says] of [
    [[[0, 0, 1, 0, 1]], "polygon 1 has 5 numbers"],
    [[[0, 0, 1, 0, 1, null]], "polygon 1 to be numbers"],
    [{ size: [2, -1], counts: [] }, "size to be [height, width]"],
    [{ size: [2, 3, 1], counts: [6] }, "size to be [height, width]"],
    [{ size: [2, 3], counts: [2 ** 32] }, "counts to be whole numbers or a text"],
    [{ size: [2, 3], counts: [1.5, 4.5] }, "counts to be whole numbers"],
    [{ size: [2, 3] }, "polygons [[x1, y1"],
    [null, "polygons"],
  ] as const)
    assert.throws(() => segmentationOf(wrong), isLuvitError("bad-argument", says));
});

test("results that cannot be compared are named with what they are or lack", async () => {
  const truth = await readAnnotations(written(file([annotation(1)])));
  const mask = encodeMask(new Uint8Array(200), 10, 20);
  const good = { imageId: 7, categoryId: 44, score: -2, box: [1, 2, 3, 4] as const, mask };
  const check = (results: readonly unknown[], kind: "bbox" | "segm" = "bbox") =>
    expectResults("here", truth, results as never, kind);
  check([]);
  check([good, { ...good, mask: undefined }]);
  check([good, { ...good, box: undefined }], "segm");
  const wrong: [change: object | null, says: string, kind?: "segm"][] = [
    [{ box: undefined }, "has no box"],
    [{ mask: undefined }, "has no mask", "segm"],
    [{ imageId: 8 }, "is of image 8, which is not there"],
    [{ categoryId: 1 }, "is of category 1, which is not there"],
    [{ score: Number.NaN }, "has the score NaN"],
    [{ score: Number.POSITIVE_INFINITY }, "has the score Infinity"],
    [{ box: [1, 2, Number.NaN, 4] }, "has the box [1, 2, NaN, 4]"],
    [
      { mask: { ...mask, height: 20, width: 10 } },
      "has a mask of 20 x 10 pixels on an image of 10 x 20",
      "segm",
    ],
    [null, "is no object but null"],
  ];
  for (const [change, says, kind] of wrong)
    assert.throws(
      () => check([good, change && { ...good, ...change }, good], kind),
      isLuvitError("bad-argument", "here: 1 of 3 results cannot be used", `result 1 ${says}`),
    );
  const both = {
    image_id: 7,
    category_id: 3,
    score: 1,
    bbox: [1, 2, 3, 4],
    segmentation: { size: [10, 20], counts: [200] },
  };
  const [result] = await readResults(written([both]), truth);
  assert.deepEqual(Object.keys(result).sort(), ["box", "categoryId", "imageId", "mask", "score"]);
});

test("classes are put in the order of their ids, and the list that was given stays as it is", () => {
  const given = [
    { id: 9, name: "b" },
    { id: 2, name: "a" },
  ];
  const truth = new CocoAnnotations([], given, []);
  assert.deepEqual([truth.classes, truth.label(9), given[0].id], [["a", "b"], 1, 9]);
  assert.deepEqual(truth.leftOut, { count: 0, lines: [] });
});

test("entries that are no objects, numbers beyond all and masks of one other side are refused by name", async () => {
  const path = written(file([null, [annotation(1)], 7]));
  const lines = [
    "annotations[0]: expected an object, got null",
    "annotations[1]: expected an object, got [",
    "annotations[2]: ",
  ];
  for (const line of [...lines, '(invalid: "leave-out" reads the file without these objects)'])
    await assertRejects(() => readAnnotations(path), "bad-dataset", line);
  const { leftOut } = await readAnnotations(path, { invalid: "leave-out" });
  assert.deepEqual([leftOut.count, leftOut.lines.length, leftOut.lines[0]], [3, 3, lines[0]]);
  const raw = JSON.stringify(file([annotation(1)]));
  for (const [was, is] of [
    ['"area":32', '"area":1e999'],
    ['"bbox":[1,', '"bbox":[1e999,'],
    ['"id":1,', '"id":1e999,'],
  ]) {
    assert.ok(raw.includes(was));
    await assertRejects(() => readAnnotations(written(raw.replace(was, is))), "bad-dataset", "Infinity");
  }
  for (const size of [
    [11, 20],
    [10, 21],
  ]) {
    const segmentation = { size, counts: [size[0] * size[1]] };
    await assertRejects(
      () => readAnnotations(written(file([annotation(1, { segmentation })]))),
      "bad-dataset",
      `a mask of size [${size.join(", ")}] of an image of [10, 20]`,
    );
  }
  assert.throws(
    () => segmentationOf({ size: [2 ** 16, 2 ** 16], counts: [2 ** 32] }),
    /fewer than 2\^32 pixels/,
  );
  const wrong = { images: [{ ...images[0], id: "7" }], categories: [{ id: 1 }] };
  for (const options of [{}, { invalid: "leave-out" as const }])
    await assertRejects(
      () => readAnnotations(written(file([], wrong)), options),
      "bad-dataset",
      "2 entries are not",
      "images[0] (id 7): id: expected a whole number",
      "categories[0] (id 1): name: missing",
    );
});
