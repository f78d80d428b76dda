import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import type { FolderDataset } from "../../../../src/data";
import {
  type ImageNetOptions,
  imageNet1k,
  imageNet9,
  imageNet9Classes,
  imageNet9Mapping,
  imageNetA,
  imageNetAMapping,
  imageNetC,
  imageNetR,
  imageNetRMapping,
  imageNetSketch,
  imageNetV2,
} from "../../../../src/data/sets";
import { scanInventory } from "../../../../src/data/sets/completeness";
import { hintsFor } from "../../../../src/data/sets/hints";
import { synsetsOf } from "../../../../src/data/sets/synsets";
import { expectWnids, isWnid } from "../../../../src/data/sets/wnids";
import { isLuvitError, put, shapesFolder, temporaryFolder } from "../support";
import { filesIn, layOut, wnids } from "./standIns";

const image = "stands in for an image";

const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => assert.fail("expected an error"),
    (error: unknown) => {
      assert.ok(isLuvitError("bad-dataset")(error));
      return (error as Error).message;
    },
  );

type Open = (root: string, options: ImageNetOptions) => Promise<FolderDataset>;

/** What each set is looked for as, and how its images are read. */
const sets: Record<
  string,
  [open: Open, looked: string, folders: (label: number) => string, transform?: string]
> = {
  "ImageNet-A": [
    imageNetA,
    "200 class folders n######## with 7500 images together",
    (i) => wnids[imageNetAMapping.mappedClasses[i]],
  ],
  "ImageNet-R": [
    imageNetR,
    "200 class folders n######## with 30000 images together",
    (i) => wnids[imageNetRMapping.mappedClasses[i]],
  ],
  "ImageNet-Sketch": [
    imageNetSketch,
    "1000 class folders n######## with 50000 images together",
    (i) => wnids[i],
  ],
  "ImageNet-V2": [imageNetV2, "1000 class folders 0 … 999 with 10 images each", String],
  "ImageNet-1K val": [
    (root, options) => imageNet1k(root, "val", options),
    "1000 class folders n######## with 50 images each",
    (i) => `val/${wnids[i]}`,
  ],
  "ImageNet-1K train": [
    (root, options) => imageNet1k(root, "train", options),
    "1000 class folders n######## with 732 to 1300 images each",
    (i) => `train/${wnids[i]}`,
  ],
  "ImageNet-C fog 2": [
    (root, options) => imageNetC(root, "fog", 2, options),
    "1000 class folders n######## with 50 images each",
    (i) => `fog/2/${wnids[i]}`,
    "none",
  ],
};

for (const [name, [open, looked, folder, transform = "evaluation"]] of Object.entries(sets))
  test(`${name} is looked for as published, labeled by its folders and read as its evaluation reads it`, async () => {
    const root = temporaryFolder();
    layOut(root, filesIn([folder(3), folder(150)], 2), image);
    const set = await open(root, { partial: true });
    assert.deepEqual(
      [0, 1, 2, 3].map((i) => set.label(i)),
      [3, 3, 150, 150],
    );
    assert.deepEqual([set.transform.name, set.size], [transform, 224]);
    const slice = { "ImageNet-A": imageNetAMapping, "ImageNet-R": imageNetRMapping }[name];
    assert.equal(set.mapping, slice);
    assert.deepEqual(set.classes, slice ? slice.mappedClasses.map((index) => wnids[index]) : wnids);
    const said = await refusal(open(root, {}));
    assert.ok(said.startsWith(`${name}: looked for ${looked} in `), said);
    assert.ok(said.includes(", found 2 folders with 4 images:\n"), said);
    assert.ok(
      said.endsWith("\ncopy what is missing, or give partial: true to work with what is there"),
      said,
    );
  });

describe("sets that are not whole", () => {
  const inventory = { name: "some", folders: "x", expected: ["a", "b", "c"] };

  it("have classes with too few or too many images, to the number, and too few in all", async () => {
    const root = temporaryFolder();
    layOut(root, [...filesIn(["a"], 2), ...filesIn(["b"], 3), ...filesIn(["c"], 4)], image);
    const scan = (more: object) => scanInventory(root, { ...inventory, ...more });
    const labels = async (more: object) => (await scan(more)).files.map(({ label }) => label);
    for (const more of [
      { perClass: [2, 4] },
      { total: 9 },
      {},
      { perClass: [9, 9], partial: true, total: 99 },
    ])
      if (!("partial" in more)) assert.deepEqual(await labels(more), [0, 0, 1, 1, 1, 2, 2, 2, 2]);
      else assert.equal((await labels(more)).length, 9, "a part may have few");
    assert.match(
      await refusal(scan({ perClass: [3, 4] })),
      /classes with fewer images than expected: a \(2 of 3\)\n/,
    );
    const many = /classes with more images than expected: c \(4 for 3\)/;
    assert.match(await refusal(scan({ perClass: [2, 3] })), many);
    const part = await refusal(scan({ perClass: [2, 3], partial: true }));
    assert.match(part, many, "a part may not have more");
    assert.ok(!part.includes("copy what is missing"));
    assert.match(await refusal(scan({ total: 10 })), /with 10 images together in .*:\n {2}9 of 10 images\n/);
    const reversed = await scan({ expected: ["c", "b", "a"] });
    assert.deepEqual([reversed.classes, reversed.files[0].label], [["c", "b", "a"], 0]);
    assert.match(reversed.files[0].path, /c.0\.JPEG$/);
  });

  it("may be empty in a class that nobody asks more of, but not in all", async () => {
    const root = temporaryFolder();
    layOut(root, ["a/notes.txt"], "no image");
    assert.match(
      await refusal(scanInventory(root, { ...inventory, expected: ["a"] })),
      /classes with fewer images than expected: a \(0 of 1\)/,
    );
    assert.match(await refusal(scanInventory(root, { ...inventory, partial: true })), /:\n {2}no images$/);
  });

  it("name twenty at most", async () => {
    const expected = Array.from({ length: 22 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    const root = temporaryFolder();
    layOut(root, filesIn(["k00"], 1), image);
    const said = async () => refusal(scanInventory(root, { ...inventory, expected }));
    assert.match(await said(), /missing class folders \(21\): k01, .*k20 and 1 more\n/);
    layOut(root, filesIn(["k21"], 1), image);
    assert.match(await said(), /missing class folders \(20\): k01, .*k20\n/);
  });

  it("may be another set, still packed, or a folder deeper", async () => {
    const folders = {
      "ImageNet-A": imageNetAMapping.mappedClasses.map((index) => wnids[index]),
      "ImageNet-R": imageNetRMapping.mappedClasses.map((index) => wnids[index]),
      "ImageNet-1K, -Sketch or a corruption of ImageNet-C": wnids,
      "ImageNet-V2": wnids.map((_, i) => String(i)),
    };
    const empty = temporaryFolder();
    const [a, r, whole, v2] = Object.entries(folders);
    for (const [[, expected], [name, names]] of [
      [r, a],
      [a, r],
      [a, whole],
      [whole, v2],
    ] as const)
      assert.deepEqual(await hintsFor(empty, expected, [...names].reverse()), [
        `these are the class folders of ${name}`,
      ]);
    assert.deepEqual(await hintsFor(empty, a[1], a[1]), []);
    assert.deepEqual(await hintsFor(empty, a[1], r[1].slice(1)), [], "a part of a set may be anything");
    const root = temporaryFolder();
    layOut(root, ["z.tar", "a.tgz", "b.tar.gz", "c.ZIP", "d.zip", "e.zip", "f.rar"], "packed");
    layOut(root, filesIn(["x/a"], 1), image);
    const said = await refusal(scanInventory(root, { ...inventory, expected: ["a1", "a2"] }));
    assert.match(said, /not unpacked yet: a\.tgz, b\.tar\.gz, c\.ZIP, d\.zip, e\.zip and 1 more\n/);
    assert.ok(!said.includes("did you mean"));
    const deeper = await refusal(scanInventory(root, { ...inventory, expected: ["a", "y"] }));
    assert.ok(deeper.includes(`did you mean ${join(root, "x")}?`), deeper);
    assert.match(deeper, /not unpacked yet: a\.tgz\n/, "those of missing classes alone");
    layOut(root, filesIn(["a"], 1), image);
    assert.ok(
      !(await refusal(scanInventory(root, { ...inventory, expected: ["a", "y"] }))).includes("did you mean"),
    );
  });
});

test("the slices and groups of the 1000 classes are those of the published lists", () => {
  // Sums of the indices and of their squares in eval.py of natural-adv-examples and of imagenet-r.
  for (const [{ mappedClasses }, sum, squares] of [
    [imageNetAMapping, 102_178, 69_725_368],
    [imageNetRMapping, 86_135, 54_436_113],
  ] as const) {
    assert.equal(mappedClasses.length, 200);
    assert.equal(
      mappedClasses.reduce((total, index) => total + index, 0),
      sum,
    );
    assert.equal(
      mappedClasses.reduce((total, index) => total + index ** 2, 0),
      squares,
    );
  }
  const span = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const groups: Record<string, number[]> = {
    dog: [...span(151, 170), ...span(173, 268)],
    bird: [...span(7, 24), ...span(87, 100), ...span(127, 146)],
    vehicle: [
      407, 408, 428, 436, 444, 468, 511, 547, 555, 561, 565, 569, 573, 586, 603, 609, 612, 627, 656, 661, 665,
      670, 671, 675, 690, 705, 717, 734, 751, 757, 791, 802, 803, 817, 820, 829, 847, 864, 866, 867, 870, 880,
    ],
    reptile: span(33, 68),
    carnivore: [...span(269, 280), ...span(286, 299), ...span(356, 362), 387, 388],
    insect: span(300, 326),
    instrument: [
      401, 402, 420, 432, 486, 494, 513, 541, 546, 558, 566, 577, 579, 593, 594, 641, 642, 683, 684, 687, 699,
      776, 822, 875, 881, 889,
    ],
    primate: span(365, 384),
    fish: [...span(0, 6), ...span(389, 397)],
  };
  assert.deepEqual(imageNet9Classes, Object.keys(groups));
  const labels = new Int32Array(1000).fill(-1);
  for (const [label, indices] of Object.values(groups).entries())
    for (const index of indices) labels[index] = label;
  assert.deepEqual(imageNet9Mapping.labels, labels);
  assert.equal(labels.filter((label) => label < 0).length, 630);
  assert.equal(imageNet9Mapping.competing, "all");
  assert.deepEqual([imageNetAMapping.competing, imageNetRMapping.competing], ["mapped", "mapped"]);
});

test("class folders are 1000 different ones in the form of wnids", () => {
  assert.equal(expectWnids(), wnids);
  assert.deepEqual(
    ["n01440764", "n1440764", "N01440764", "xn01440764", "n014407640", "n0144076a"].map(isWnid),
    [true, false, false, false, false, false],
  );
  const refused = (list: readonly string[], text: string) =>
    assert.throws(() => expectWnids(list), isLuvitError("bad-argument", text));
  refused(wnids.slice(1), "got 999 different of 999");
  refused([...wnids, wnids[0]], "got 1000 different of 1001");
  refused([...wnids.slice(1), wnids[1]], "got 999 different of 1000");
  refused(
    [...wnids.slice(2), "cat", "dog"],
    "got 1000 different of 1000, 2 of them unlike n########, e.g. cat",
  );
});

describe("lists of the 1000 classes beside the images", () => {
  it("are Kaggle's or Caffe's, in any order, words behind the names, the first of them that is there", async () => {
    const root = temporaryFolder();
    assert.equal(await synsetsOf(root), undefined);
    const turned = [...wnids].reverse();
    for (const name of ["synset_words.txt", "synsets.txt", "LOC_synset_mapping.txt"]) {
      writeFileSync(join(root, name), turned.map((wnid) => `${wnid} words, n00000001 too`).join("\r\n"));
      assert.deepEqual(await synsetsOf(root), { wnids }, name);
    }
    writeFileSync(join(root, "synset_words.txt"), "nothing");
    assert.deepEqual((await synsetsOf(root))?.wnids, wnids);
    writeFileSync(join(root, "LOC_synset_mapping.txt"), turned.slice(1).join("\n"));
    await assert.rejects(
      synsetsOf(root),
      isLuvitError("bad-dataset", "LOC_synset_mapping.txt: expected 1000 wnids n########, found 999"),
    );
  });
});

describe("ImageNet-9", () => {
  it("has names of folders without numbers, or those that are given, and nine classes alone answer for 1000", async () => {
    const root = temporaryFolder();
    for (const name of ["10_b", "2_a_c", "x"]) await put(root, `no_fg/val/${name}/1.JPEG`, image);
    const set = await imageNet9(root, "no_fg");
    assert.deepEqual([set.classes, set.mapping], [["b", "a_c", "x"], undefined]);
    assert.deepEqual([set.transform.name, set.size, set.cache.options.exif], ["none", 224, "ignore"]);
    const named = await imageNet9(root, "no_fg", { classes: ["p", "q", "r"], cache: 77 });
    assert.deepEqual([named.classes, named.cache.budgetBytes], [["p", "q", "r"], 77]);
    await assert.rejects(
      imageNet9(root, "no_fg", { classes: ["p"] }),
      isLuvitError("bad-dataset", "expected 1 classes, found 3 class folders (10_b, 2_a_c, x)"),
    );
    await assert.rejects(
      imageNet9(root, "only_fg"),
      isLuvitError(
        "missing-file",
        `looked for ${join(root, "only_fg", "val")}, which does not exist; ${root} holds no_fg`,
      ),
    );
    const none = join(root, "none");
    await assert.rejects(
      imageNet9(none, "only_fg"),
      isLuvitError("missing-file", `does not exist; nor does ${none}`),
    );
    await assert.rejects(
      imageNet9(temporaryFolder(), "original"),
      isLuvitError("missing-file", "holds nothing"),
    );
  });

  it("lacks folders only where two of the published ones are there", async () => {
    const root = temporaryFolder();
    const folder = (name: string) => put(root, `original/val/${name}/1.JPEG`, image);
    await folder("00_dog");
    assert.equal((await imageNet9(root, "original")).length, 1);
    await folder("05_insect");
    await assert.rejects(
      imageNet9(root, "original"),
      isLuvitError(
        "bad-dataset",
        "missing: 01_bird, 02_wheeled vehicle, 03_reptile, 04_carnivore, 06_musical instrument, 07_primate, 08_fish;",
      ),
    );
    for (const name of ["01_b", "02_v", "03_r", "04_c", "06_m", "07_p", "08_f"]) await folder(name);
    assert.equal((await imageNet9(root, "original")).mapping, imageNet9Mapping);
    await folder("09_more");
    assert.equal((await imageNet9(root, "original")).mapping, undefined);
    rmSync(join(root, "original", "val", "09_more"), { recursive: true });
    assert.equal((await imageNet9(root, "original")).classes.length, 9);
  });

  it("of the toy set has the same images in every part", async () => {
    const set = await imageNet9(join(shapesFolder, "in9"), "mixed_same");
    assert.match(set.path(0), /in9.mixed_same.val.\d*_?fish/);
  });
});
