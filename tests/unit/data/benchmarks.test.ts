import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../src/core/rng";
import { batches } from "../../../src/data/loader";
import { decodeMaskIds, maskCells } from "../../../src/data/masks";
import { imageNetS } from "../../../src/data/segmentation";
import { imageNet9 } from "../../../src/data/sets/imageNet9";
import * as transforms from "../../../src/data/transforms";
import { flatPng, put, shapesFolder, temporaryFolder } from "./support";

const toy = {
  images: join(shapesFolder, "val"),
  masks: join(shapesFolder, "segmentation", "validation"),
  transform: transforms.evaluation(64),
  patch: 8,
};

describe("ImageNet-S masks", () => {
  it("hold R + 256 * G in 16 bits, whatever blue says", async () => {
    const pixels = Buffer.from([1, 0, 0, 255, 0, 9, 0, 1, 200, 232, 3, 0, 151, 3, 1, 0, 0, 255]);
    const png = await sharp(pixels, { raw: { width: 3, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const { ids, width, height } = await decodeMaskIds(png);
    assert.deepEqual([...ids], [1, 255, 256, 1000, 919, 0]);
    assert.deepEqual([width, height], [3, 2]);
  });

  it("may be large and hold one color, which takes next to no bytes", async () => {
    const large = await flatPng(1500, 1000, [3, 1, 0]);
    assert.ok(large.length < 30_000, `${large.length}`);
    const { ids, width, height } = await decodeMaskIds(large);
    assert.deepEqual([width, height, new Set(ids)], [1500, 1000, new Set([259])]);
  });

  it("make a cell foreground by one pixel, and neither when all of it is ignored", () => {
    const ids = Int32Array.from([0, 0, 1000, 1000, 0, 5, 1000, 1000, 1000, 0, 1000, 3, 0, 0, 1000, 1000]);
    const cells = maskCells(ids, 4, 2);
    assert.equal(cells.columns, 2);
    assert.deepEqual([...cells.foreground], [1, 0, 0, 1]);
    assert.deepEqual([...cells.valid], [1, 0, 1, 1]);
  });

  it("refuse a grid of no cells", () => {
    assert.throws(() => maskCells(new Int32Array(16), 4, 8), /no whole cell of 8 px/);
  });
});

describe("imageNetS", () => {
  it("pairs every toy mask with its image", async () => {
    const set = await imageNetS(toy);
    assert.equal(set.length, 150);
    for (let i = 0; i < set.length; i++)
      assert.equal(basename(set.path(i), ".jpg"), basename(set.masks[i], ".png"));
    const sample = await set.load(140, new Rng(0));
    assert.deepEqual([sample.foreground.length, sample.valid.length, sample.ids.length], [64, 64, 4096]);
    assert.deepEqual(
      [...new Set(sample.ids)].sort((a, b) => a - b).filter((id) => id !== 1000),
      [0, 6],
    );
    assert.equal(sample.label, 5);
  });

  it("gives mask and image the same crop", async () => {
    const set = (await imageNetS(toy)).withTransform(transforms.evaluation(32, { cropRatio: 1 }));
    const { ids, rows, columns } = await set.load(0, new Rng(0));
    assert.deepEqual([ids.length, rows, columns], [32 * 32, 4, 4]);
    assert.throws(
      () => set.withTransform(transforms.mae(32)),
      /mae cannot carry a mask along; use transforms.segment, transforms.evaluation or/,
    );
  });

  it("keeps every mask with its image in views of it", async () => {
    const set = await imageNetS(toy);
    for (const view of [set.subset([3, 140, 7]), set.take(10), set.take(10).subset([9, 2])]) {
      assert.ok(view.length > 1);
      for (let i = 0; i < view.length; i++)
        assert.equal(basename(view.path(i), ".jpg"), basename(view.masks[i], ".png"));
    }
  });

  it("does not use a mask of another size than the model's as it is", async () => {
    const root = temporaryFolder();
    await put(root, "val/n1/a.png", await flatPng(8, 8, [1, 2, 3]));
    await put(root, "masks/n1/a.png", await flatPng(8, 8, [1, 0, 0]));
    const { ids } = transforms.none(8);
    assert.throws(
      () => ids({ data: new Uint16Array(72), width: 9, height: 8 } as never),
      /9 x 8 pixels where 8 x 8/,
    );
    const options = { images: join(root, "val"), masks: join(root, "masks"), patch: 4 };
    const set = await imageNetS({ ...options, transform: transforms.none(8) });
    assert.deepEqual([...(await set.load(0, new Rng(0))).foreground], [1, 1, 1, 1]);
  });

  it("can be batched like any other set", async () => {
    for await (const batch of batches((await imageNetS(toy)).take(6), { batchSize: 6, shuffle: false })) {
      assert.deepEqual([...batch.labels], [0, 1, 2, 3, 4, 5]);
    }
  });

  it("finds the image of a merged class by its name, and leaves out images without masks", async () => {
    const root = temporaryFolder();
    const image = await flatPng(8, 8, [5, 5, 5]);
    for (const path of ["val/n1/x.png", "val/n2/y.png", "val/n3/z.png", "masks/n1/x.png", "masks/n1/y.png"]) {
      await put(root, path, image);
    }
    const set = await imageNetS({
      images: join(root, "val"),
      masks: join(root, "masks"),
      transform: transforms.evaluation(8),
      patch: 4,
    });
    assert.deepEqual([set.length, set.label(0), set.label(1)], [2, 0, 1]);
  });

  it("is found below its published folder, whose count of masks is checked", async () => {
    const root = temporaryFolder();
    const image = await flatPng(8, 8, [1, 0, 0]);
    for (const wnid of ["n01443537", "n01491361"]) {
      await put(root, `ImageNetS50/validation/${wnid}/x_${wnid}.JPEG`, image);
      await put(root, `ImageNetS50/validation-segmentation/${wnid}/x_${wnid}.png`, image);
    }
    const options = { root, variant: 50, transform: transforms.evaluation(8), patch: 4 } as const;
    const set = await imageNetS({ ...options, partial: true });
    assert.deepEqual([set.length, set.label(1), set.classes[1]], [2, 1, "n01491361"]);
    await assert.rejects(
      imageNetS(options),
      /ImageNet-S-50: expected 752 masks and 50 class folders, found 2 and 2/,
    );
    for (const [variant, masks] of [
      [300, 4097],
      [919, 12419],
    ] as const) {
      await put(root, `ImageNetS${variant}/validation/n01443537/x_n01443537.JPEG`, image);
      await put(root, `ImageNetS${variant}/validation-segmentation/n01443537/x_n01443537.png`, image);
      await assert.rejects(
        imageNetS({ ...options, variant }),
        new RegExp(`expected ${masks} masks and ${variant} class folders, found 1 and 1`),
      );
    }
    await assert.rejects(imageNetS({ root, images: root }), /give root and variant, or images and masks/);
  });

  it("skips a pair of unequal sizes, and names masks that have no image", async () => {
    const root = temporaryFolder();
    const options = {
      images: join(root, "val"),
      masks: join(root, "masks"),
      transform: transforms.evaluation(8),
      patch: 4,
    };
    for (const name of ["a", "b"]) await put(root, `val/n1/${name}.png`, await flatPng(8, 8, [1, 2, 3]));
    await put(root, "masks/n1/a.png", await flatPng(9, 8, [1, 0, 0]));
    await put(root, "masks/n1/b.png", await flatPng(8, 8, [1, 0, 0]));
    const set = await imageNetS(options);
    assert.equal((await set.load(0, new Rng(0))).index, 1);
    assert.match(set.report.skipped[0].reason, /a\.png: the image has 8 x 8 pixels, its mask .* 9 x 8/);
    await put(root, "masks/n1/c.png", await flatPng(8, 8, [1, 0, 0]));
    await assert.rejects(imageNetS(options), /1 of 3 masks have no image[\s\S]*c\.png/);
  });
});

describe("imageNet9", () => {
  it("of nine classes answers for a model of 1000, where most classes are wrong answers", async () => {
    const root = temporaryFolder();
    const folders = ["00_dog", "01_bird", "02_wheeled vehicle", "03_reptile", "04_carnivore", "05_insect"];
    const more = ["06_musical instrument", "07_primate", "08_fish"];
    for (const name of [...folders, ...more]) await put(root, `mixed_next/val/${name}/a.JPEG`, "stands in");
    const set = await imageNet9(root, "mixed_next");
    const { mapping, classes, length } = set;
    for (const view of [set.take(2), set.subset([1]), set.withTransform(transforms.evaluation(32))])
      assert.equal(view.mapping, mapping, "views answer as the set does");
    assert.deepEqual([length, classes[2]], [9, "wheeled vehicle"]);
    const best = (index: number) =>
      mapping!.predict(Float32Array.from({ length: 1000 }, (_, i) => Number(i === index)));
    assert.deepEqual([best(207), best(9), best(0), best(999)], [0, 1, 8, -1]);
    assert.throws(() => mapping!.predict([1, 2]), /ImageNet-9: expected 1000 scores, got 2/);
    rmSync(join(root, "mixed_next", "val", "08_fish"), { recursive: true });
    await assert.rejects(
      imageNet9(root, "mixed_next"),
      /the 9 class folders of ImageNet-9 in .*, missing: 08_fish;/,
    );
  });

  it("reads the three parts of the toy set with the same objects", async () => {
    const parts = await Promise.all(
      (["original", "mixed_same", "mixed_rand"] as const).map((split) =>
        imageNet9(join(shapesFolder, "in9"), split, { transform: transforms.none(64) }),
      ),
    );
    for (const part of parts) {
      assert.deepEqual(part.classes, ["fish", "flower", "heart", "moon", "mushroom", "star"]);
      assert.equal(part.length, 120);
      assert.equal(basename(part.path(77)), basename(parts[0].path(77)));
    }
  });

  it("takes images as they are unless a resize is asked for", async () => {
    const root = join(shapesFolder, "in9");
    const set = await imageNet9(root, "original");
    await assert.rejects(set.load(0, new Rng(0)), /image of 64 x 64 pixels where 224 x 224 is expected/);
    const resized = await imageNet9(root, "original", { transform: transforms.evaluation(32) });
    assert.equal((await resized.load(0, new Rng(0))).image.length, 3 * 32 * 32);
  });

  it("says which part is missing and which class names do not fit", async () => {
    const root = join(shapesFolder, "in9");
    await assert.rejects(imageNet9(root, "mixed_next"), /mixed_next.*does not exist/);
    await assert.rejects(imageNet9(root, "original", { classes: ["dog"] }), /expected 1 classes, found 6/);
  });
});
