import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { evaluate } from "../../../../src/analysis/detection";
import { maskArea, maskIou } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import { readAnnotations } from "../../../../src/data/coco";
import { assertRejects } from "../../io/support";
import { annotation, categories, file, images, written } from "./support";

/* Files that people and programs really write, and worse. Each is read as COCO itself reads it, or refused in words. */

const read = (content: unknown) => readAnnotations(written(content));

test("polygons that cross themselves are drawn by even and odd crossings", async () => {
  const bowTie = [[2, 2, 18, 9, 18, 2, 2, 9]];
  const truth = await read(file([annotation(1, { segmentation: bowTie })]));
  assert.equal(maskArea(truth.mask(truth.annotations[0])), 58);
});

test("empty masks are objects without pixels, and named", async () => {
  const empty = { size: [10, 20], counts: [200] };
  const truth = await read(
    file([annotation(1, { segmentation: [] }), annotation(2, { segmentation: empty, area: 0 })]),
  );
  const masks = truth.annotations.map((one) => truth.mask(one));
  assert.deepEqual(masks.map(maskArea), [0, 0]);
  assert.deepEqual([...maskIou(masks, masks, [0, 0])], [0, 0, 0, 0]);
  assert.match(truth.notes().join(), /2 objects have an empty mask/);
});

test("boxes outside of their image stay as they are, and are named", async () => {
  const box = [-5, 3, 100, 400];
  const truth = await read(
    file([annotation(1, { bbox: box }), annotation(2, { bbox: [50, 50, 1, 1] }), annotation(3)]),
  );
  assert.deepEqual(truth.annotations[0].box, box);
  assert.match(truth.notes().join(), /2 boxes reach more than a pixel out/);
});

test("unknown categories and images are refused, all at once", async () => {
  const path = written(
    file([annotation(1, { category_id: 5 }), annotation(2), annotation(3, { image_id: 9, category_id: 1 })]),
  );
  const message =
    "2 entries are not as COCO has them:\n" +
    "  annotations[0] (id 1): category_id: there is no category 5\n" +
    "  annotations[2] (id 3): image_id: there is no image 9; category_id: there is no category 1";
  await assertRejects(() => readAnnotations(path), "bad-dataset", message);
  const truth = await readAnnotations(path, { invalid: "leave-out" });
  assert.deepEqual(
    truth.annotations.map(({ id }) => id),
    [2],
  );
  assert.equal(truth.leftOut.count, 2);
});

test("ids that are there twice are refused: of images, of categories, of objects", async () => {
  await assertRejects(
    () => read(file([annotation(1), annotation(1)])),
    "bad-dataset",
    "annotations[1] (id 1): id: 1 is there twice",
  );
  const twice = { images: [...images, images[0]], categories: [...categories, categories[1]] };
  for (const line of ["images[2] (id 7): id: 7 is there twice", "categories[2] (id 3): id: 3 is there twice"])
    await assertRejects(() => read(file([], twice)), "bad-dataset", line);
});

test("a file of crowds alone is read, and training knows that it has nothing", async () => {
  const crowd = { iscrowd: 1, segmentation: { size: [10, 20], counts: [10, 150, 40] } };
  const truth = await read(
    file([annotation(1, crowd), annotation(2, { ...crowd, image_id: 3, segmentation: undefined })]),
  );
  assert.ok(truth.annotations.every((one) => one.crowd));
  assert.match(truth.notes().join(), /2 images have crowds alone/);
});

test("masks of another size than their image are refused", async () => {
  const wrong = { size: [20, 10], counts: [200] };
  const message = "segmentation: a mask of size [20, 10] of an image of [10, 20]";
  await assertRejects(() => read(file([annotation(1, { segmentation: wrong })])), "bad-dataset", message);
});

test("polygons of two points, of an odd number, and of anything but lists are refused", async () => {
  const wrong: [unknown, string][] = [
    [[[1, 1, 5, 5]], "polygon 1 has 4 numbers; x and y of three corners or more"],
    [
      [
        [1, 1, 9, 1, 1, 9],
        [1, 1, 5, 5, 3, 3, 2],
      ],
      "polygon 2 has 7 numbers",
    ],
    [[1, 1, 9, 1, 1, 9], "expected polygon 1 to be numbers [x1, y1, x2, y2, …], got 1"],
    ["1 1 9 1 1 9", "expected polygons [[x1, y1, x2, y2, …]] or { size, counts }"],
    [[[0, 0, 1e12, 0, 0, 5]], "a corner at 1000000000000, more than"],
  ];
  for (const [segmentation, message] of wrong)
    await assertRejects(() => read(file([annotation(1, { segmentation })])), "bad-dataset", message);
});

test("NaN, infinity, texts and missing fields are refused, all at once", async () => {
  const text = JSON.stringify(
    file([
      annotation(1, { bbox: [1, 1, "#", 8] }),
      annotation(2, { area: "32", id: "2" }),
      { id: 3, image_id: 7 },
      annotation(4, { bbox: [1, 1, -8, 8], iscrowd: 2 }),
      annotation(5, { bbox: null, area: -1 }),
      "annotation",
    ]),
  ).replace('"#"', "NaN");
  const lines = [
    "annotations[0]: not JSON (",
    "JSON has no NaN and no Infinity",
    "annotations[1] (id 2): id: expected a whole number, got '2'; area: expected a number from 0, got '32'",
    "annotations[2] (id 3): category_id: missing, expected a whole number; bbox: missing, expected four numbers",
    "iscrowd: expected 0 or 1, got 2",
    "annotations[4] (id 5): bbox: expected four numbers [x, y, width, height], no side below 0, none beyond 1000000, got null",
    "annotations[5]: expected an object, got 'annotation'",
    "6 entries",
  ];
  for (const line of lines) await assertRejects(() => read(text), "bad-dataset", line);
});

test("runs of absurd lengths take no memory", async () => {
  const wrong: [unknown, string][] = [
    [{ size: [10, 20], counts: [4e9, 4e9] }, "add up to 8000000000, not to 200"],
    [{ size: [10, 20], counts: [1e300] }, "expected counts to be whole numbers or a text"],
    [{ size: [10, 20], counts: [-1, 201] }, "expected counts to be whole numbers or a text"],
    [{ size: [10, 20], counts: "oooo" }, "the number at character 1 is cut off"],
    [{ size: [10, 20], counts: "Y6" }, "a run of 201 pixels in a mask of 10 x 20"],
    [{ size: [1e6, 1e6], counts: [1e12] }, "a mask of fewer than 2^32 pixels"],
    [{ size: [10], counts: [200] }, "expected size to be [height, width]"],
    [{ size: [10, 20], counts: { 0: 200 } }, "expected counts to be whole numbers or a text"],
  ];
  for (const [segmentation, message] of wrong)
    await assertRejects(() => read(file([annotation(1, { segmentation })])), "bad-dataset", message);
});

test("images without a size, and names that lead out of their folder, are refused", async () => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ width: 0 }, "width: expected a whole number from 1 to"],
    [{ height: 1e9 }, "height: expected a whole number from 1 to"],
    [{ file_name: "" }, "file_name: expected a text"],
    [{ file_name: "../../etc/passwd" }, "leads out of the folder of images"],
    [{ file_name: "/etc/passwd" }, "leads out of the folder of images"],
    [{ file_name: "C:\\x.jpg" }, "leads out of the folder of images"],
  ];
  for (const [change, message] of wrong)
    await assertRejects(
      () => read(file([], { images: [{ ...images[0], ...change }] })),
      "bad-dataset",
      message,
    );
});

test("files that are something else say what they are", async () => {
  await assertRejects(() => read([{ image_id: 1 }]), "bad-dataset", "are these results?");
  await assertRejects(
    () => read({ images, annotations: [] }),
    "bad-dataset",
    "categories missing or empty; found images",
  );
  await assertRejects(() => read({}), "bad-dataset", "found nothing");
  await assertRejects(() => read("{"), "bad-file", "cut off?");
  await assertRejects(() => readAnnotations("/nowhere/instances.json"), "missing-file", "no such file");
  const captions = file([{ id: 1, image_id: 7, caption: "a bottle" }]);
  await assertRejects(() => read(captions), "bad-dataset", "category_id: missing");
});

test("a file that is no text in UTF-8 says what it is", async () => {
  const text = JSON.stringify(file([annotation(1)]));
  const [before, after] = text.split("a.jpg");
  const wrong: [Uint8Array | string, string][] = [
    [Buffer.from(`\ufeff${text}`, "utf16le"), "not JSON but UTF-16 text"],
    [gzipSync(text), "compressed with gzip; unpack it first"],
    ["PK\u0003\u0004", "a zip archive; unpack it first"],
    ["\n<!doctype html><title>403</title>", "an HTML or XML page"],
    [Buffer.concat([Buffer.from(before), Buffer.of(0xe9), Buffer.from(after)]), "text that is not UTF-8"],
  ];
  for (const [content, message] of wrong) await assertRejects(() => read(content), "bad-file", message);
  assert.equal((await read(`\ufeff${text}`)).images.length, 2);
  assert.equal((await read(text.replace("a.jpg", "\ufffd.jpg"))).images[0].fileName, "\ufffd.jpg");
});

test("boxes at infinity and outlines longer than any image are refused when they are read", async () => {
  await assertRejects(
    () => read(file([annotation(1, { bbox: [0, 0, 1e308, 1] })])),
    "bad-dataset",
    "none beyond",
  );
  const zigzag = Array.from({ length: 400 }, (_, i) => (i % 4 < 2 ? -5e5 : 5e5));
  const message = "polygon 1: an outline of 200000040 pixels cannot be drawn";
  await assertRejects(() => read(file([annotation(1, { segmentation: [zigzag] })])), "bad-dataset", message);
});

test("an outline of very many parts is one mask", async () => {
  const parts = Array.from({ length: 20_000 }, (_, i) => [i % 20, 0, (i % 20) + 1, 0, (i % 20) + 1, 10]);
  const truth = await read(file([annotation(1, { segmentation: parts })]));
  const few = await read(file([annotation(1, { segmentation: parts.slice(0, 20) })]));
  assert.deepEqual(truth.mask(truth.annotations[0]), few.mask(few.annotations[0]));
});

test("names that are there twice, areas beyond the image and files without objects are named", async () => {
  const same = categories.map((one) => ({ ...one, name: "bottle" }));
  const truth = await read(file([annotation(1, { area: 1e12 })], { categories: same }));
  assert.match(
    truth.notes().join(),
    /1 areas are larger than their image,1 classes have the name of another/,
  );
  const scores = await evaluate(truth, [], { kind: "bbox" });
  assert.throws(() => scores.ofClass("bottle"), /several classes have the name bottle/);
  const none = await read({
    images: [images[0], { ...images[1], file_name: images[0].file_name }],
    categories,
  });
  assert.match(none.notes().join(), /1 file without objects.*,1 images have the file of another one/);
});

test("objects without an area are noted, outlines and boxes each in their way", async () => {
  const outline = annotation(1, { segmentation: [[3, 1, 3, 5, 3, 9]] });
  const box = { ...annotation(2, { bbox: [2, 2, 0, 5] }), segmentation: undefined };
  const truth = await read(file([outline, box]));
  assert.match(truth.notes().join(), /1 objects have an empty mask.*,1 objects are a box without an area/);
});

test("whatever else a file holds, it is read or refused in words", async () => {
  const rng = new Rng(6);
  const odd = [
    null,
    -1,
    1.5,
    1e308,
    "x",
    "",
    [],
    {},
    [[]],
    true,
    [1, 2, 3],
    { size: [10, 20] },
    [[1, 1, 9, 1, 1, 9]],
  ];
  const good = file([
    annotation(1),
    annotation(2, { segmentation: { size: [10, 20], counts: [50, 100, 50] } }),
  ]);
  let reads = 0;
  for (let i = 0; i < 1500; i++) {
    const content = JSON.parse(JSON.stringify(good));
    for (let change = 1 + rng.integer(2); change > 0; change--) damage(content, rng, odd);
    try {
      const truth = await read(content);
      for (const one of truth.annotations) if (one.segmentation) truth.mask(one);
      truth.notes();
      reads++;
    } catch (error) {
      assert.equal(
        (error as Error).name,
        "LuvitError",
        `${JSON.stringify(content)}\n${(error as Error).stack}`,
      );
    }
  }
  assert.ok(reads > 100, `${reads}`);
});

/** Puts something odd in the place of a value anywhere inside. */
function damage(value: Record<string, unknown>, rng: Rng, odd: readonly unknown[]): void {
  const keys = Object.keys(value);
  if (keys.length === 0) return;
  const key = keys[rng.integer(keys.length)];
  const inner = value[key];
  if (typeof inner === "object" && inner !== null && rng.uniform() < 0.85)
    damage(inner as Record<string, unknown>, rng, odd);
  else if (rng.uniform() < 0.2) delete value[key];
  else value[key] = structuredClone(odd[rng.integer(odd.length)]);
}

test("a pixel beyond the image is no note, more than a pixel is, on each side", async () => {
  const notes = async (bbox: readonly number[]) =>
    (await read(file([annotation(1, { bbox, area: 1 })]))).notes().join();
  for (const bbox of [
    [-1, 0, 5, 5],
    [0, -1, 5, 5],
    [16, 0, 5, 5],
    [0, 6, 5, 5],
  ])
    assert.doesNotMatch(await notes(bbox), /out of their image/, `${bbox}`);
  for (const bbox of [
    [-1.5, 0, 5, 5],
    [0, -1.5, 5, 5],
    [16.5, 0, 5, 5],
    [0, 6.5, 5, 5],
  ])
    assert.match(await notes(bbox), /1 boxes reach more than a pixel out/, `${bbox}`);
  const areas = async (area: number) => (await read(file([annotation(1, { area })]))).notes().join();
  assert.doesNotMatch(await areas(21 * 11), /larger/, "a pixel more each way");
  assert.match(await areas(21 * 11 + 1), /1 areas are larger/);
});
