import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { Binary, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import sharp from "sharp";
import { data } from "../../../src";
import { Rng } from "../../../src/core/rng";
import {
  decodeImage,
  type FolderDataset,
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
import { wnids } from "./sets/standIns";
import { paintedImage, put, shapesFolder, temporaryFolder } from "./support";

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

type OpenOne = (root: string, options: object) => Promise<Pick<FolderDataset, "load" | "size" | "cache">>;

/** Sets of one image, turned by what its camera wrote; most read it as the reference does, which does not turn it. */
const ofOneImage: Record<string, [path: string, open: OpenOne, usual?: "honor"]> = {
  imageFolder: ["class/x.jpg", imageFolder, "honor"],
  huggingFace: ["train.arrow", huggingFace],
  imageNet1k: [
    `val/${wnids[3]}/x.JPEG`,
    (root, options) => data.imageNet1k(root, "val", { ...options, partial: true }),
  ],
  imageNetA: [`${wnids[6]}/x.jpg`, (root, options) => data.imageNetA(root, { ...options, partial: true })],
  imageNetR: [`${wnids[1]}/x.jpg`, (root, options) => data.imageNetR(root, { ...options, partial: true })],
  imageNetSketch: [
    `${wnids[1]}/x.jpg`,
    (root, options) => data.imageNetSketch(root, { ...options, partial: true }),
  ],
  imageNetV2: ["0/x.jpg", (root, options) => data.imageNetV2(root, { ...options, partial: true })],
  imageNetC: [
    `fog/2/${wnids[1]}/x.jpg`,
    (root, options) => data.imageNetC(root, "fog", 2, { ...options, partial: true }),
  ],
};

for (const [name, [path, open, usual = "ignore"]] of Object.entries(ofOneImage))
  test(`${name} reads by each of its options, and as it does without where they are undefined`, async () => {
    const { data: pixels, width, height } = paintedImage(32, 20, (x, y) => [8 * x, 12 * y, 90]);
    const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const isTable = path.endsWith(".arrow");
    const columns = {
      image: vectorFromArray([file], new Binary()),
      label: vectorFromArray(["a"], new Utf8()),
    };
    const root = temporaryFolder();
    await put(root, path, isTable ? tableToIPC(new Table(columns), "stream") : file);
    const transform = transforms.evaluation(8);
    const read = async (options: object) => {
      const set = await open(root, { transform, ...options });
      return [await set.load(0, rng()), set.cache] as const;
    };
    for (const exif of [undefined, "honor", "ignore"] as const) {
      const [{ image }] = await read({ exif });
      assert.deepEqual(image, transform.apply(await decodeImage(file, { exif: exif ?? usual }), rng()), exif);
    }
    const [{ image }, cache] = await read({});
    assert.deepEqual(image, transform.apply(await decodeImage(file, { exif: usual }), rng()));
    assert.deepEqual([cache.budgetBytes, cache.bytes], [512e6, 3 * 32 * 20]);
    for (const [size, held] of [
      [false, 0],
      [3 * 32 * 20 - 1, 0],
      [3 * 32 * 20, 3 * 32 * 20],
    ] as const)
      assert.equal((await read({ cache: size }))[1].bytes, held, `${size}`);
    await assert.rejects(read({ maxPixels: 639 }), /640|639/);
    await read({ maxPixels: 640 });
    assert.equal((await read({ gray16: "high-byte" }))[1].options.gray16, "high-byte");
    assert.equal((await open(root, {})).size, 224);
    assert.equal((await open(root, { transform: undefined })).size, 224);
  });
