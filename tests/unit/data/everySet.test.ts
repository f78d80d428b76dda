import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { data } from "../../../src";
import { Rng } from "../../../src/core/rng";
import {
  huggingFace,
  type ImageDataset,
  imageFolder,
  imageNetS,
  shard,
  toy,
  transforms,
  wholeImages,
} from "../../../src/data";
import { isLuvitError } from "../nn/support";
import { paintedImage, shapesFolder } from "./support";

/*
 * What holds of every set of images, whatever it reads.
 */

const fixtures = join(__dirname, "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");
const transform = transforms.evaluation(16);
const folder = () => imageFolder(join(shapesFolder, "val"), { transform });

const sets: Record<string, () => Promise<ImageDataset> | ImageDataset> = {
  "class folders": folder,
  "rows of Parquet": () => huggingFace(join(fixtures, "codecs", "plain.parquet"), { transform }),
  "rows of Arrow": () => huggingFace(join(fixtures, "cache", "toy-train.arrow"), { transform }),
  questions: () => toy.questions(1, 12, { size: 16 }),
  "masks of ImageNet-S": () =>
    imageNetS({
      images: join(shapesFolder, "val"),
      masks: join(shapesFolder, "segmentation", "validation"),
      patch: 4,
      transform,
    }),
  "whole images of a set": async () => wholeImages(await folder(), { patch: 8 }),
  "single images": () =>
    wholeImages([paintedImage(20, 17, (x, y) => [x, y, 9]), paintedImage(40, 16, (x, y) => [y, x, 1])]),
};

const rng = () => new Rng(5);

for (const [name, open] of Object.entries(sets))
  test(`${name}: length, labels, paths, parts and what they give agree`, async () => {
    const set = await open();
    const { length } = set;
    const isNumbered = name === "single images"; // by their places in the list
    assert.ok(length > 1 && set.report.count === 0);
    const paths = Array.from({ length }, (_, i) => set.path(i));
    const samePaths = (found: string[], at: number[]) =>
      isNumbered ||
      assert.deepEqual(
        found,
        at.map((i) => paths[i]),
      );
    assert.equal(new Set(paths).size, length);
    for (let i = 0; i < length; i++)
      assert.ok(set.label(i) >= -1 && set.label(i) < Math.max(1, set.classes.length));
    for (const index of [-1, length, 0.5])
      assert.throws(() => set.path(index), isLuvitError("bad-argument", `${index}`));
    assert.throws(() => set.subset([0, length]), isLuvitError("bad-argument", `${length}`));

    const all = [...Array(length).keys()];
    const pathsOf = (part: ImageDataset) => Array.from({ length: part.length }, (_, i) => part.path(i));
    samePaths(pathsOf(set.take(2)), [0, Math.floor(length / 2)]);
    assert.equal(set.take(length + 5).length, length);
    const turned = set.subset([length - 1, 0, 0]);
    samePaths(pathsOf(turned), [length - 1, 0, 0]);
    assert.deepEqual(
      [0, 1, 2].map((i) => turned.label(i)),
      [length - 1, 0, 0].map((i) => set.label(i)),
    );
    samePaths(
      [1, 2].flatMap((index) => pathsOf(shard(set, { index, count: 2 }))),
      all,
    );

    const own = await set.load(length - 1, rng());
    const same = await turned.load(0, rng());
    assert.deepEqual([same.label, same.index, own.index], [own.label, 0, length - 1]);
    samePaths([same.path], [length - 1]);
    assert.deepEqual(same.image, own.image);
    const { height = set.size, width = set.size } = own;
    assert.equal(own.image.length, 3 * height * width);
    assert.match(inspect(set), new RegExp(`${length} `));

    if (isNumbered) {
      assert.throws(
        () => set.withTransform(transforms.evaluation(8)),
        isLuvitError("bad-argument", "single images"),
      );
      return;
    }
    const small = set.withTransform(transforms.evaluation(8));
    assert.deepEqual(
      [small.size, small.length, small.path(1), small.label(1)],
      [8, length, paths[1], set.label(1)],
    );
    assert.equal((await small.load(1, rng())).image.length, 3 * 8 * 8);
    if (!name.startsWith("masks"))
      assert.deepEqual(small.preprocessing, transforms.evaluation(8).preprocessing);
    if (set.shuffled) {
      const order = set.shuffled(rng());
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        [...Array(length).keys()],
      );
      assert.deepEqual(set.shuffled(rng()), order);
    }
  });

test("whole images are cut to whole patches, resized first where that is asked for", async () => {
  const image = paintedImage(40, 21, (x, y) => [x, y, 9]);
  const shapeOf = async (options: object) => {
    const { height, width, image: planes } = await wholeImages(image, options).load(0, rng());
    assert.equal(planes.length, 3 * height * width);
    return [height, width];
  };
  assert.deepEqual(await shapeOf({}), [16, 32]);
  assert.deepEqual(await shapeOf({ patch: 7 }), [21, 35]);
  assert.deepEqual(await shapeOf({ patch: 8, shorterSide: 42 }), [40, 80]);
  const whole = wholeImages(image, { patch: 8, shorterSide: 30 });
  assert.deepEqual([whole.size, whole.path(0), whole.label(0), whole.classes], [24, "image", -1, []]);
  assert.equal(
    inspect(whole),
    "WholeImages 1 images in their own shapes, shorter side 30 px, cut to patches of 8 px",
  );
  assert.equal(
    inspect(wholeImages([image, image])),
    "WholeImages 2 images in their own shapes, cut to patches of 16 px",
  );
  assert.equal(wholeImages([image, image]).path(1), "image 1");
  assert.throws(
    () => wholeImages(image, { patch: 16, shorterSide: 15 }),
    isLuvitError("bad-argument", "at least a patch (16 px), got 15"),
  );
  assert.equal(wholeImages(image, { patch: 16, shorterSide: 16 }).size, 16);
  await assert.rejects(
    wholeImages(image, { patch: 22 }).load(0, rng()),
    isLuvitError("bad-image", "40 x 21 pixels hold no whole patch of 22 px"),
  );
});

test("shards follow each other and differ by at most one", () => {
  for (const length of [0, 1, 7, 24])
    for (const count of [1, 2, 5, 9]) {
      const set = toy.questions(1, Math.max(1, length), { size: 8 });
      const parts = Array.from({ length: count }, (_, i) => data.shard(set, { index: i + 1, count }).length);
      assert.equal(
        parts.reduce((a, b) => a + b),
        set.length,
      );
      assert.ok(Math.max(...parts) - Math.min(...parts) <= 1);
    }
});
