import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { shard } from "../../../../src/data/dataset";
import { imageNetA, imageNetC, imageNetR, imageNetSketch, imageNetV2 } from "../../../../src/data/sets";
import { imageNetAMapping, imageNetRMapping } from "../../../../src/data/sets/mappings";
import * as transforms from "../../../../src/data/transforms";
import { flatPng, temporaryFolder } from "../support";
import { filesIn, layOut, wnids } from "./standIns";

const image = "stands in for an image";
const classesOfA = imageNetAMapping.mappedClasses.map((index) => wnids[index]);

describe("ImageNet-A and -R", () => {
  it("label the 200 folders by sorted name and answer through their slice of 1000 classes", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(classesOfA, 38), image);
    layOut(root, ["README.txt"], "a file beside the classes");
    const set = await imageNetA(root);
    assert.deepEqual([set.length, set.classes.length], [7600, 200]);
    assert.deepEqual([set.label(0), set.label(7599)], [0, 199]);
    const scores = new Float32Array(1000);
    scores[wnids.indexOf(set.classes[17])] = 1;
    scores[1] = 9; // of another class, which does not compete
    assert.equal(set.mapping!.predict(scores), 17);
  });

  it("keep the labels of a part, and name what a whole set lacks", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(classesOfA.slice(1, 4), 1), image);
    const part = await imageNetA(root, { partial: true });
    assert.deepEqual([part.label(0), part.length, part.classes.length], [1, 3, 200]);
    await assert.rejects(imageNetA(root), (error: Error) => {
      assert.match(error.message, new RegExp(`missing class folders \\(197\\): ${classesOfA[0]}, `));
      assert.match(error.message, /and 177 more/);
      assert.match(error.message, /3 of 7500 images/);
      return true;
    });
  });

  it("say that archives are not unpacked yet, and where the class folders are instead", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(classesOfA.slice(3), 1), image);
    layOut(root, [`${classesOfA[0]}.tar`, `${classesOfA[2]}.tar`, "notes.zip"], "packed");
    await assert.rejects(
      imageNetA(root),
      new RegExp(
        `folders \\(3\\): ${classesOfA.slice(0, 3).join(", ")}\n[^]*not unpacked yet: ${classesOfA[0]}.tar, ${classesOfA[2]}.tar\n`,
      ),
    );
    const above = temporaryFolder();
    layOut(above, filesIn([`imagenet-a/${classesOfA[7]}`], 1), image);
    await assert.rejects(imageNetA(above), new RegExp(`did you mean ${join(above, "imagenet-a")}\\?`));
  });

  it("go by given names where the folders are called otherwise", async () => {
    const root = temporaryFolder();
    const own = Array.from({ length: 1000 }, (_, i) => `n${String(90000000 + 37 * i)}`);
    layOut(root, filesIn([own[imageNetAMapping.mappedClasses[5]]], 1), image);
    assert.equal((await imageNetA(root, { wnids: own, partial: true })).label(0), 5);
    await assert.rejects(imageNetA(root, { partial: true }), /do not belong there: n90000814/);
    await assert.rejects(
      imageNetSketch(root, { wnids: own.slice(1) }),
      /expected the 1000 of ImageNet-1K, got 999/,
    );
  });

  it("refuse folders of another set", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(classesOfA, 1), image);
    await assert.rejects(
      imageNetR(root, { partial: true }),
      /folders that do not belong there: n\d+[\s\S]*these are the class folders of ImageNet-A/,
    );
    layOut(root, ["cats/1.JPEG"], image);
    await assert.rejects(imageNetA(root, { partial: true }), /do not belong there: cats/);
    assert.equal(imageNetRMapping.mappedClasses.length, 200);
  });
});

describe("ImageNet-V2", () => {
  it("takes the folder's number for the label, not its place among the sorted names", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(["0", "2", "10", "999"], 10), await flatPng(4, 4, [1, 2, 3]));
    const set = await imageNetV2(root, { partial: true });
    assert.deepEqual([...new Set(Array.from({ length: 40 }, (_, i) => set.label(i)))], [0, 2, 10, 999]);
    assert.equal(set.classes.length, 1000);
  });

  it("names missing classes and classes with too few images at once", async () => {
    const root = temporaryFolder();
    const names = Array.from({ length: 1000 }, (_, i) => String(i));
    layOut(root, filesIn(names, 10), image);
    assert.equal((await imageNetV2(root)).classes[999], wnids[999]);
    for (const name of ["5", "17", "900"]) rmSync(join(root, name), { recursive: true });
    rmSync(join(root, "42", "3.JPEG"));
    await assert.rejects(imageNetV2(root), (error: Error) => {
      assert.match(error.message, /looked for 1000 class folders 0 … 999 with 10 images each in/);
      assert.match(error.message, /found 997 folders with 9969 images/);
      assert.match(error.message, /missing class folders \(3\): 5, 17, 900\n/);
      assert.match(error.message, /fewer images than expected: 42 \(9 of 10\)/);
      return true;
    });
  });
});

describe("ImageNet-Sketch", () => {
  it("has 1000 classes of wnids", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(wnids.slice(0, 3), 2), image);
    const set = await imageNetSketch(root, { partial: true });
    assert.deepEqual([set.length, set.label(5)], [6, 2]);
    await assert.rejects(imageNetSketch(root), /6 of 50000 images/);
  });
});

describe("ImageNet-C", () => {
  it("is read by type and severity, with or without the folders of its archives, as it is", async () => {
    const root = temporaryFolder();
    const image = await flatPng(32, 32, [4, 5, 6]);
    layOut(root, filesIn([`fog/3/${wnids[7]}`, `blur/glass_blur/1/${wnids[8]}`], 2), image);
    const options = { partial: true, transform: transforms.none(32) };
    const fog = await imageNetC(root, "fog", 3, options);
    assert.deepEqual([fog.label(0), fog.length, fog.transform.name], [7, 2, "none"]);
    assert.equal((await imageNetC(root, "glass_blur", 1, options)).label(0), 8);
    await assert.rejects(
      imageNetC(root, "snow", 1, options),
      /looked for .*snow and .*weather.*; .* holds glass_blur, fog$/,
    );
    await assert.rejects(imageNetC(root, "fog", 4, options), /which does not exist/);
  });
});

describe("shards", () => {
  it("cover a set once", async () => {
    const root = temporaryFolder();
    layOut(root, filesIn(wnids.slice(0, 7), 1), image);
    const set = await imageNetSketch(root, { wnids, partial: true });
    const parts = [1, 2, 3].map((index) => shard(set, { index, count: 3 }));
    assert.deepEqual(
      parts.flatMap((part) => Array.from({ length: part.length }, (_, i) => part.label(i))),
      [0, 1, 2, 3, 4, 5, 6],
    );
    const refused = (which: unknown, says: RegExp) => assert.throws(() => shard(set, which as never), says);
    refused({ index: 0, count: 3 }, /data\.shard: .*index: expected a whole number from 1 .*got 0/);
    refused({ index: 4, count: 3 }, /index: expected at most count \(3\), got 4/);
    refused({ index: 1.5, count: 0 }, /index: .*got 1\.5\n.*count: .*got 0/);
    refused({ index: 1 }, /count: missing/);
    refused(1, /expected an object.*got 1/);
  });
});
