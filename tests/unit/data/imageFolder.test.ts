import assert from "node:assert/strict";
import { mkdir, symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { imageFolder } from "../../../src/data/imageFolder";
import { batches } from "../../../src/data/loader";
import { unnormalize } from "../../../src/data/pixels";
import { preview } from "../../../src/data/preview";
import * as transforms from "../../../src/data/transforms";
import { flatPng, put, shapesFolder, temporaryFolder } from "./support";

const small = { transform: transforms.none(4) };

async function threeImages(): Promise<string> {
  const root = temporaryFolder();
  await put(root, "cat/a.png", await flatPng(4, 4, [10, 0, 0]));
  await put(root, "cat/b.PNG", "not an image");
  await put(root, "dog/deep/c.png", await flatPng(4, 4, [30, 0, 0]));
  await put(root, "dog/notes.txt", "no image either");
  await put(root, "readme.md", "a file beside the classes");
  return root;
}

async function rejection(promise: Promise<unknown>, code: string): Promise<string> {
  const error = await promise.then(
    () => assert.fail("expected an error"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LuvitError && error.code === code, String(error));
  return error.message;
}

describe("imageFolder", () => {
  it("labels classes by sorted name and finds images at any depth", async () => {
    const set = await imageFolder(await threeImages(), small);
    assert.deepEqual(set.classes, ["cat", "dog"]);
    assert.deepEqual(
      [0, 1, 2].map((i) => set.label(i)),
      [0, 0, 1],
    );
    assert.ok(set.path(2).endsWith(join("dog", "deep", "c.png")));
    assert.deepEqual([set.length, set.size], [3, 4]);
  });

  it("follows links to class folders, folders and images, passes those to other files over, misses what is gone", async () => {
    const [root, elsewhere] = [temporaryFolder(), await threeImages()];
    const link = (to: string, ...at: string[]) => symlink(to, join(root, ...at));
    await link(join(elsewhere, "cat"), "cat");
    await link(join(elsewhere, "readme.md"), "LICENSE");
    await mkdir(join(root, "dog"));
    await link(join(elsewhere, "dog", "deep"), "dog", "linked");
    await link(join(elsewhere, "cat", "a.png"), "dog", "a.png");
    await link(join(elsewhere, "gone.png"), "dog", "b.png");
    const set = await imageFolder(root, small);
    assert.deepEqual(set.classes, ["cat", "dog"]);
    const paths = Array.from({ length: set.length }, (_, i) => relative(root, set.path(i)));
    assert.deepEqual(paths, ["cat/a.png", "cat/b.PNG", "dog/a.png", "dog/b.png", "dog/linked/c.png"]);
    await set.load(3, new Rng(0));
    assert.match(String(set.report), /dog\/b\.png: cannot be read \(ENOENT/);
    await link(join(elsewhere, "fish"), "fish");
    assert.match(await rejection(imageFolder(root, small), "missing-file"), /fish, which does not exist/);
  });

  it("replaces an unreadable image by one of its class, never of another, counts that and names it once", async () => {
    const set = await imageFolder(await threeImages(), small);
    for (let i = 0; i < 3; i++) {
      const sample = await set.load(1, new Rng(0));
      assert.deepEqual([sample.index, sample.label, sample.path], [0, 0, set.path(0)]);
    }
    assert.deepEqual([set.report.count, set.report.replaced], [1, 3]);
    assert.equal(set.report.skipped[0].path, set.path(1));
    assert.match(
      String(set.report),
      /1 unreadable image left out or replaced.*\n.*b\.PNG: cannot be decoded/,
    );
  });

  it("goes on through a whole epoch with unreadable images", async () => {
    const set = await imageFolder(await threeImages(), small);
    for await (const batch of batches(set, { batchSize: 3, shuffle: false })) {
      assert.deepEqual([...batch.indices], [0, 0, 2]);
      assert.deepEqual([...batch.labels], [0, 0, 1]);
    }
    assert.equal(set.report.count, 1);
  });

  it("fails when no image of a class can be read, and names them", async () => {
    const root = temporaryFolder();
    await put(root, "a/1.png", "x");
    await put(root, "a/2.png", "y");
    await put(root, "b/3.png", await flatPng(4, 4, [0, 0, 0]));
    const set = await imageFolder(root, small);
    const message = await rejection(set.load(1, new Rng(0)), "bad-dataset");
    assert.match(message, /class a: none of the 2 images can be read[\s\S]*2\.png[\s\S]*1\.png/);
    assert.equal((await set.load(2, new Rng(0))).label, 1);
  });

  it("says what it looked for, where, and what it found", async () => {
    const root = temporaryFolder();
    assert.match(
      await rejection(imageFolder(join(root, "none")), "missing-file"),
      /none, which does not exist/,
    );
    assert.match(
      await rejection(imageFolder(root), "bad-dataset"),
      /looked for <class>.*only an empty folder/,
    );
    await put(root, "cat/a.png", await flatPng(4, 4, [0, 0, 0]));
    await mkdir(join(root, "dog"));
    const half = await rejection(imageFolder(root), "bad-dataset");
    assert.match(half, /1 of 2 class folders hold images; these do not:\n {2}dog/);
    const flat = await rejection(imageFolder(join(root, "cat")), "bad-dataset");
    assert.match(flat, /found no class folders, only 1 files \(a\.png\)/);
    assert.match(await rejection(imageFolder(shapesFolder), "bad-dataset"), /did you mean .*train\?/);
  });

  it("names the image whose size does not fit", async () => {
    const set = await imageFolder(await threeImages(), { transform: transforms.none(8) });
    assert.match(await rejection(set.load(0, new Rng(0)), "bad-argument"), /a\.png: image of 4 x 4 pixels/);
  });

  it("gives views that share pixels and report", async () => {
    const set = await imageFolder(join(shapesFolder, "train"), { transform: transforms.mae(32) });
    const some = set.take(12);
    assert.deepEqual(
      [...Array(12).keys()].map((i) => some.label(i)),
      [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    );
    const view = set.subset([599, 0]).withTransform(transforms.evaluation(16));
    assert.deepEqual([view.size, view.length, view.label(0)], [16, 2, 5]);
    await view.load(0, new Rng(0));
    assert.equal(set.cache.bytes, 64 * 64 * 3);
    assert.equal(view.report, set.report);
    assert.throws(() => view.path(2), /image 2 does not exist/);
  });

  it("decodes again when the memory budget is used up, with the same result", async () => {
    const root = join(shapesFolder, "val");
    const [kept, decoded] = [
      await imageFolder(root, small),
      await imageFolder(root, { ...small, cache: false }),
    ];
    const transform = transforms.evaluation(32);
    const [a, b] = await Promise.all(
      [kept, decoded].map((set) => set.withTransform(transform).load(5, new Rng(0))),
    );
    assert.deepEqual(a.image, b.image);
    assert.equal(decoded.cache.bytes, 0);
  });

  it("reads the toy set in the layout of ImageNet-1K", async () => {
    for (const [part, count] of [
      ["train", 600],
      ["val", 150],
    ] as const) {
      const set = await imageFolder(join(shapesFolder, part), { transform: transforms.evaluation(64) });
      assert.equal(set.length, count);
      assert.deepEqual(set.classes, ["fish", "flower", "heart", "moon", "mushroom", "star"]);
    }
  });
});

describe("preview", () => {
  it("draws every image by a stream of its own, from the seed and its position", async () => {
    const fish = await imageFolder(join(shapesFolder, "val"), { transform: transforms.mae(16) });
    const same = fish.subset([3, 3, 3, 3]);
    const shown = (await preview(same)).map(({ data }) => data.join());
    assert.equal(new Set(shown).size, 4);
    const { image } = await same.load(2, new Rng(0).fork(2));
    assert.equal(shown[2], unnormalize(image, 16, 16).data.join());
    assert.deepEqual(
      (await preview(same, { seed: 0 })).map(({ data }) => data.join()),
      shown,
    );
    const other = (await preview(same, { seed: 1 })).map(({ data }) => data.join());
    assert.ok(other.every((data) => !shown.includes(data)));
    assert.equal((await preview(fish.subset([3])))[0].data.join(), shown[0]);
  });
});
