import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { batches } from "../../../../src/data";
import { type DetectionSample, openCoco } from "../../../../src/data/coco";
import { fitSquare, largeScaleJitter, mae } from "../../../../src/data/transforms";
import { assertRejects } from "../../io/support";
import { flatPng, put, temporaryFolder } from "../support";
import { annotation, file, images } from "./support";

/** A set of two images, in COCO's layout. */
async function set(
  annotations: unknown[],
  change: { files?: Record<string, Uint8Array> } = {},
): Promise<string> {
  const root = join(temporaryFolder(), "coco");
  await put(root, "annotations/instances_val.json", JSON.stringify(file(annotations)));
  const noise = (width: number, height: number) => {
    const raw = { width, height, channels: 3 as const };
    return sharp(
      Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 256),
      { raw },
    )
      .jpeg()
      .toBuffer();
  };
  const files = change.files ?? { "a.jpg": await noise(20, 10), "sub/b.jpg": await noise(8, 12) };
  for (const [name, bytes] of Object.entries(files)) await put(root, `val/${name}`, bytes);
  return root;
}

const objects = [
  annotation(1),
  annotation(2, { image_id: 3, category_id: 3, segmentation: [[1, 1, 7, 1, 7, 11]], bbox: [1, 1, 6, 10] }),
  annotation(3, { iscrowd: 1, segmentation: { size: [10, 20], counts: [0, 200] } }),
];

test("an image comes in its square with its objects, crowds left out", async () => {
  const data = await openCoco({ root: await set(objects), part: "val", transform: fitSquare(40) });
  assert.deepEqual([data.length, data.classes, data.size], [2, ["car", "bottle"], 40]);
  const sample = await data.load(0, new Rng(1));
  assert.equal(sample.image.length, 3 * 40 * 40);
  assert.deepEqual([...sample.boxes], [2, 2, 18, 18]);
  assert.deepEqual([...sample.labels], [1]);
  assert.deepEqual(sample.geometry.covered, { width: 40, height: 20 });
  assert.equal(sample.imageId, 7);
});

test("batches bring objects along, and threads read what the calling thread reads", async () => {
  const data = await openCoco({ root: await set(objects), part: "val", transform: largeScaleJitter(64) });
  const read = async (workers: number) => {
    const found = [];
    for (let epoch = 0; epoch < 4; epoch++)
      for await (const batch of batches(data, { batchSize: 2, seed: 3, epoch, workers })) found.push(batch);
    return found;
  };
  const [here, there] = [await read(0), await read(2)];
  assert.equal(here.length, 4);
  here.forEach((batch, i) => {
    assert.deepEqual(there[i].images, batch.images);
    const samples = batch.samples as DetectionSample[];
    samples.forEach((sample, at) => {
      assert.deepEqual((there[i].samples[at] as DetectionSample).boxes, sample.boxes);
      assert.deepEqual([sample.index, sample.path], [batch.indices[at], batch.paths[at]]);
    });
  });
  const everyBox = here.flatMap(({ samples }) =>
    (samples as DetectionSample[]).map(({ boxes }) => boxes.join()),
  );
  assert.ok(new Set(everyBox).size > 4, "every epoch draws anew");
});

test("an image that is not as large as its annotations say is left out and named", async () => {
  const files = { "a.jpg": await flatPng(10, 20, [1, 2, 3]), "sub/b.jpg": await flatPng(8, 12, [1, 2, 3]) };
  for (const transform of [fitSquare(16), largeScaleJitter(16)]) {
    const data = await openCoco({ root: await set(objects, { files }), part: "val", transform });
    const sample = await data.load(0, new Rng(1));
    assert.equal(sample.imageId, 3);
    assert.match(
      String(data.report),
      /a\.jpg: the image has 10 x 20 pixels, its annotations are for 20 x 10/,
    );
  }
});

test("only images with an object that is no crowd are trained with, and masks need polygons", async () => {
  const crowd = { image_id: 3, iscrowd: 1, segmentation: { size: [12, 8], counts: [96] } };
  const data = await openCoco({ root: await set([annotation(1), annotation(2, crowd)]), part: "val" });
  assert.equal(data.trainable({ masks: true }).length, 1);
  const runs = { segmentation: { size: [10, 20], counts: [0, 200] } };
  const pixels = await openCoco({
    root: await set([annotation(1, runs), annotation(5, { segmentation: undefined })]),
    part: "val",
  });
  assert.equal(pixels.trainable().length, 1);
  assert.throws(
    () => pixels.trainable({ masks: true }),
    /2 objects have none:\n {2}annotation 1: runs of pixels\n {2}annotation 5: a box alone/,
  );
});

test("missing folders, files and images are explained", async () => {
  const root = await set(objects, { files: { "a.jpg": await flatPng(20, 10, [1, 2, 3]) } });
  await assertRejects(
    () => openCoco({ root, part: "train" }),
    "missing-file",
    "looked for the annotations at",
  );
  await assertRejects(
    () => openCoco({ root: join(root, "x"), part: "val" }),
    "missing-file",
    "does not exist",
  );
  await assertRejects(
    () => openCoco({ root, part: "val" }),
    "bad-dataset",
    "1 of 2 images of the annotations are not in",
  );
  await assertRejects(() => openCoco({ root, part: "val" }), "bad-dataset", "sub/b.jpg");
  assert.equal((await openCoco({ root, part: "val", partial: true })).length, 1);
  await put(root, "annotations/instances_none.json", JSON.stringify(file([])));
  await put(root, "none.zip", "");
  await assertRejects(() => openCoco({ root, part: "none" }), "missing-file", "none.zip is still packed");
  const annotations = join(root, "annotations", "instances_val.json");
  await assertRejects(
    () => openCoco({ images: root, annotations }),
    "missing-file",
    `none of the ${images.length} images`,
  );
  await assertRejects(
    () => openCoco({ root, images: root }),
    "bad-argument",
    "give root and part, or images and annotations",
  );
});

test("images are found however their place below the folder is written", async () => {
  const image = await flatPng(20, 10, [1, 2, 3]);
  const names = ["./a.jpg", "sub//b.jpg", "sub/./c.jpg", "d.jpg"];
  const root = join(temporaryFolder(), "coco");
  for (const name of ["a.jpg", "sub/b.jpg", "sub/c.jpg", "d.jpg"]) await put(root, `val/${name}`, image);
  const named = (all: readonly string[]) =>
    file([], { images: all.map((file_name, id) => ({ id, file_name, width: 20, height: 10 })) });
  await put(root, "annotations/instances_val.json", JSON.stringify(named(names)));
  for (const partial of [false, true]) {
    const data = await openCoco({ root, part: "val", partial, transform: fitSquare(20) });
    assert.deepEqual(
      data.images.map(({ fileName }) => fileName),
      names,
    );
    for (const index of names.keys()) assert.equal((await data.load(index, new Rng(1))).index, index);
  }
  await put(root, "annotations/instances_val.json", JSON.stringify(named([...names, "sub/a.jpg"])));
  const some = await openCoco({ root, part: "val", partial: true });
  assert.equal(some.length, names.length);
  await assertRejects(
    () => openCoco({ root, part: "val" }),
    "bad-dataset",
    "1 of 5 images of the annotations are not in",
  );
});

test("transforms that cannot take objects along are refused", async () => {
  const root = await set(objects);
  const data = await openCoco({ root, part: "val" });
  assert.throws(() => data.withTransform(mae(64)), /mae cannot take boxes and outlines along/);
  await assertRejects(
    () => openCoco({ root, part: "val", transform: mae(64) as never }),
    "bad-argument",
    "transforms.largeScaleJitter",
  );
});
