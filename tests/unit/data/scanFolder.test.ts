import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { corruptions } from "../../../src/data";
import { imageFolder } from "../../../src/data/imageFolder";
import { batches } from "../../../src/data/loader";
import { listImages } from "../../../src/data/scanFolder";
import * as transforms from "../../../src/data/transforms";
import { flatPng, put, temporaryFolder } from "./support";

/** Not every file system takes names that are not UTF-8. */
function takesAnyBytes(): boolean {
  try {
    writeFileSync(Buffer.concat([Buffer.from(`${temporaryFolder()}/`), Buffer.from([0xe9])]), "");
    return true;
  } catch {
    return false;
  }
}

const latin = (root: string, path: string) =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]);

describe("names that are not UTF-8", { skip: takesAnyBytes() ? false : "not on this file system" }, () => {
  async function archive(): Promise<string> {
    const root = temporaryFolder();
    const [dark, light] = [await flatPng(32, 32, [10, 20, 30]), await flatPng(32, 32, [200, 210, 220])];
    mkdirSync(latin(root, "caf\xe9"));
    mkdirSync(join(root, "cafe"));
    writeFileSync(latin(root, "caf\xe9/na\xefve.png"), dark);
    writeFileSync(latin(root, "caf\xe9/na\xeeve.png"), light);
    writeFileSync(latin(root, "cafe/\xff\xfe.png"), light);
    writeFileSync(latin(root, "cafe/plain.png"), dark);
    return root;
  }

  it("are read like all others, in this thread and in others", async () => {
    const set = await imageFolder(await archive(), { transform: transforms.evaluation(8), cache: false });
    assert.deepEqual(set.classes, ["cafe", "caf\udce9"]);
    assert.equal(set.length, 4);
    const values = async (workers: number) => {
      const found: number[] = [];
      for await (const { images, indices } of batches(set, { batchSize: 4, shuffle: false, workers })) {
        assert.deepEqual([...indices], [0, 1, 2, 3]);
        for (let i = 0; i < 4; i++) found.push(images[i * 3 * 64]);
      }
      return found.map((value) => value > 0);
    };
    assert.deepEqual(await values(0), [false, true, true, false]);
    assert.deepEqual(await values(1), [false, true, true, false]);
    assert.equal(set.report.count, 0);
  });

  it("are written out where they are named", async () => {
    const root = await archive();
    writeFileSync(latin(root, "caf\xe9/na\xefve.png"), "not an image");
    const set = await imageFolder(root, { transform: transforms.evaluation(8) });
    await set.load(2, new Rng(0));
    await set.load(3, new Rng(0));
    assert.match(String(set.report), /caf\\xe9\/na\\xefve\.png: cannot be decoded/);
  });

  it("give images under corruptions one file each", async () => {
    const target = temporaryFolder();
    const options = { types: ["contrast" as const], severities: [1], size: 32, workers: 1 };
    const run = await corruptions.generate(await archive(), target, options);
    for await (const { unreadable } of run) assert.equal(unreadable, undefined);
    assert.equal(run.written, 4);
    const written = join(target, "contrast", "1");
    const names = ["cafe/%ff%fe", "cafe/plain", "caf%e9/na%eeve", "caf%e9/na%efve"].map(
      (name) => `${name}.png.JPEG`,
    );
    assert.deepEqual((await listImages(written)).sort(), names.map((name) => join(written, name)).sort());
  });
});

describe("folders of images", () => {
  it("are sorted as Python sorts: capitals before small letters, digit by digit, accents last, classes and files", async () => {
    const root = temporaryFolder();
    const image = await flatPng(4, 4, [1, 2, 3]);
    const classes = ["A10", "A2", "B", "_c", "a", "a b", "a-b", "aC", "a_b", "\u00e9"];
    for (const name of [...classes].reverse()) await put(root, `${name}/x.png`, image);
    const inB = ["A10.png", "A2.png", "B.png", "_c.png", "a b.png", "a.png", "aC.png", "x.png", "\u00e9.png"];
    const deeper = ["A/z.png", "_z/B.png", "_z/a.png", "b/y.png"]; // the images of a folder, then its folders
    for (const name of [...deeper, ...inB].reverse()) await put(root, `B/${name}`, image);
    const files = classes.flatMap((name) =>
      name === "B" ? [...inB, ...deeper].map((file) => `B/${file}`) : [`${name}/x.png`],
    );
    const set = await imageFolder(root);
    assert.deepEqual(set.classes, classes);
    assert.deepEqual(
      set.files.map(({ path, label }) => [path, set.classes[label]]),
      files.map((file) => [join(root, file), file.split("/")[0]]),
    );
    assert.deepEqual(
      await listImages(root),
      files.map((file) => join(root, file)),
    );
  });

  it("may be a class called train or val if it holds anything but folders, else they are the parts of a set", async () => {
    const image = await flatPng(4, 4, [1, 2, 3]);
    for (const [files, part] of [
      [["train/a.png", "train/more/b.png", "boat/c.png"], undefined],
      [["val/a.png", "boat/c.png"], undefined],
      [["train/cat/a.png", "train/dog/b.png"], "train"],
      [["train/cat/a.png", "val/cat/b.png"], "train"],
      [["train/a.png", "val/cat/b.png"], "val"],
      [["boat/c.png", "val/cat/b.png"], "val"],
      [["test/cat/a.png"], undefined],
    ] as const) {
      const root = temporaryFolder();
      for (const file of files) await put(root, file, image);
      const what = files.join();
      if (part === undefined) assert.equal((await imageFolder(root)).length, files.length, what);
      else
        await assert.rejects(imageFolder(root), (error: Error) => {
          return error.message.endsWith(`; did you mean ${join(root, part)}?`);
        });
    }
  });

  it("whose links lead back to where they lie are refused, others are followed", async () => {
    const root = temporaryFolder();
    await put(root, "cat/a.png", await flatPng(4, 4, [1, 2, 3]));
    await put(root, "dog/b.png", await flatPng(4, 4, [1, 2, 3]));
    symlinkSync(join(root, "cat"), join(root, "dog", "more"));
    assert.equal((await imageFolder(root)).length, 3);
    symlinkSync(join(root, "dog"), join(root, "cat", "more"));
    await assert.rejects(imageFolder(root), /more leads back to .*, which it lies in; remove the link/);
    const other = temporaryFolder();
    await put(other, "cat/a.png", await flatPng(4, 4, [1, 2, 3]));
    symlinkSync(other, join(other, "cat", "up"));
    await assert.rejects(imageFolder(other), /cat\/up leads back to/);
  });

  it("say how many other files they have, which are not read", async () => {
    const root = temporaryFolder();
    await put(root, "cat/a.png", await flatPng(4, 4, [1, 2, 3]));
    for (const name of ["b.heic", "c.HEIC", "deep/d.heic", "e.txt", "f"]) await put(root, `cat/${name}`, "?");
    const set = await imageFolder(root, { transform: transforms.evaluation(8) });
    assert.match(
      inspect(set.take(1)),
      /1 images, 1 classes, .* px; 5 other files \(\.heic 3, \.txt 1, no ending 1\)$/,
    );
    await put(root, "dog/a.avif", "?");
    await assert.rejects(
      imageFolder(root),
      /do not:\n {2}dog\nthere are 6 other files \(\.heic 3.*, …\), which are not read/,
    );
  });

  it("have no pipes among their images, and links to those, to devices and to folders are unreadable", async () => {
    const [root, elsewhere] = [temporaryFolder(), temporaryFolder()];
    await put(root, "cat/a.png", await flatPng(4, 4, [1, 2, 3]));
    execFileSync("mkfifo", [join(root, "cat", "b.png"), join(elsewhere, "pipe")]);
    assert.equal((await imageFolder(root)).length, 1);
    symlinkSync(join(elsewhere, "pipe"), join(root, "cat", "c.jpg"));
    symlinkSync("/dev/zero", join(root, "cat", "d.jpg"));
    symlinkSync(elsewhere, join(root, "cat", "e.jpg"));
    writeFileSync(join(root, "cat", "f.jpg"), "");
    truncateSync(join(root, "cat", "f.jpg"), 2 ** 31);
    for (const workers of [0, 1]) {
      const set = await imageFolder(root, { transform: transforms.evaluation(8), cache: false });
      const batch = await batches(set, { batchSize: 5, shuffle: false, workers }).next();
      assert.deepEqual([...batch.value.indices], [0, 0, 0, 0, 0]);
      const report = String(set.report);
      for (const name of ["c", "d"])
        assert.match(report, new RegExp(`${name}\\.jpg: .*it is a pipe or a device`));
      assert.match(report, /e\.jpg: .*it is a folder/);
      assert.match(report, /f\.jpg: .*2147483648 bytes are more than the limit of 1073741824/);
    }
  });
});
