import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { imageNet1k } from "../../../../src/data/sets";
import { isFlatName, labelFlat } from "../../../../src/data/sets/flatValidation";
import { isLuvitError, temporaryFolder } from "../support";
import { layOut, wnids } from "./standIns";

const nameOf = (number: number) => `ILSVRC2012_val_${String(number).padStart(8, "0")}`;
const classOf = (number: number) => (number * 7919) % 1000;
const numbers = Array.from({ length: 50000 }, (_, i) => i + 1);
const caffe = (lines = numbers) => lines.map((n) => `${nameOf(n)}.JPEG ${classOf(n)}`);
const solution = (lines = numbers) => [
  "ImageId,PredictionString",
  ...lines.map((n) => `${nameOf(n)},${wnids[classOf(n)]} 85 1 499 272`),
];

function folderOf(...images: string[]): string {
  const root = temporaryFolder();
  layOut(root, images, "stands in for an image");
  return root;
}

describe("validation images in one folder", () => {
  it("have names of eight digits, in any case, as jpg or jpeg", () => {
    for (const name of [
      "ILSVRC2012_val_00000001.JPEG",
      "ilsvrc2012_VAL_00050000.jpg",
      "ILSVRC2012_val_12345678.jpeg",
    ])
      assert.ok(isFlatName(name), name);
    for (const name of [
      "ILSVRC2012_val_0000001.JPEG",
      "ILSVRC2012_val_000000001.JPEG",
      "xILSVRC2012_val_00000001.JPEG",
      "ILSVRC2012_val_00000001.JPEGs",
      "ILSVRC2012_val_00000001xJPEG",
      "ILSVRC2012_val_00000001.png",
      "ILSVRC2012_test_00000001.JPEG",
    ])
      assert.ok(!isFlatName(name), name);
  });

  it("are labeled by their numbers, whatever lies beside them, in the order of the numbers", async () => {
    const root = folderOf("ILSVRC2012_val_00000200.jpg", "ILSVRC2012_val_00000003.JPEG", "notes.txt");
    writeFileSync(join(root, "val.txt"), caffe().reverse().join("\r\n"));
    const { classes, files } = await labelFlat(root, root, { partial: true });
    assert.deepEqual(classes, wnids);
    assert.deepEqual(files, [
      { path: join(root, "ILSVRC2012_val_00000003.JPEG"), label: classOf(3) },
      { path: join(root, "ILSVRC2012_val_00000200.jpg"), label: classOf(200) },
    ]);
    const own = Array.from({ length: 1000 }, (_, i) => `n${90000000 + i}`);
    writeFileSync(join(root, "synsets.txt"), own.join("\n"));
    assert.deepEqual((await labelFlat(root, root, { partial: true })).classes, own);
    assert.deepEqual((await labelFlat(root, root, { partial: true, wnids })).classes, wnids);
  });

  it("say how many are missing or without a label, the first ten by number, and lists that are not whole", async () => {
    const root = folderOf(...[12, 11, 50001].map((n) => `${nameOf(n)}.JPEG`));
    const list = join(root, "val.txt");
    writeFileSync(list, caffe().join("\n"));
    const wanted = `looked for ILSVRC2012_val_00000001.JPEG … 00050000 in ${root}, found 3:\n`;
    await assert.rejects(
      labelFlat(root, root, {}),
      isLuvitError(
        "bad-dataset",
        `ImageNet-1K val: ${wanted}  49998 images missing: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …\n`,
        "\n  1 images without label: 50001\ncopy what is missing, or give partial: true to work with what is there",
      ),
    );
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      (error: Error) =>
        isLuvitError("bad-dataset", "  1 images without label: 50001")(error) &&
        !error.message.includes("missing"),
    );
    rmSync(join(root, `${nameOf(50001)}.JPEG`));
    writeFileSync(list, caffe(numbers.slice(0, -1)).join("\n"));
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      isLuvitError("bad-dataset", "val.txt has labels of 49999 images"),
    );
  });

  it("take the list beside them, below the set or above them, Kaggle's before the kit's before Caffe's", async () => {
    const root = folderOf(`ILSVRC/Data/CLS-LOC/val/${nameOf(7)}.JPEG`);
    const folder = join(root, "ILSVRC", "Data", "CLS-LOC", "val");
    const labels = () => labelFlat(root, folder, { partial: true });
    const found = (count: number, list = "val.txt") =>
      assert.rejects(labels(), isLuvitError("bad-dataset", `${list} has labels of ${count} images`));
    for (const [i, place] of [join(folder, ".."), folder, root].entries()) {
      writeFileSync(join(place, "val.txt"), caffe(numbers.slice(0, i + 7)).join("\n"));
      await found(i + 7); // one of these is taken before those that were there
    }
    const kit = join(root, "ILSVRC2012_devkit_t12", "data");
    mkdirSync(kit, { recursive: true });
    writeFileSync(join(kit, "ILSVRC2012_validation_ground_truth.txt"), "1\n");
    await assert.rejects(
      labels(),
      isLuvitError("missing-file", `counts classes as ${join(kit, "meta.mat")} does`),
    );
    writeFileSync(join(root, "LOC_val_solution.csv"), solution(numbers.slice(0, 1002)).join("\r\n"));
    await found(1002, "LOC_val_solution.csv");
    rmSync(join(root, "LOC_val_solution.csv"));
    rmSync(join(root, "ILSVRC2012_devkit_t12"), { recursive: true });
    for (const place of [root, folder, join(folder, "..")]) rmSync(join(place, "val.txt"));
    await assert.rejects(
      labels(),
      isLuvitError(
        "missing-file",
        "need a list of labels; found none of\n",
        ...[
          "LOC_val_solution.csv",
          join("ILSVRC2012_devkit_t12", "data", "ILSVRC2012_validation_ground_truth.txt"),
          "val.txt",
        ].map((name) => `\n  ${join(root, name)}`),
        `\n  ${join(folder, "val.txt")}`,
      ),
    );
  });

  it("are not labeled by lists with lines of another kind, which are shown, five of them, each cut", async () => {
    const root = folderOf(`${nameOf(7)}.JPEG`);
    const list = join(root, "val.txt");
    const wrong = [
      "x".repeat(90),
      `${nameOf(1)}.JPEG 1000`,
      `${nameOf(1)}.JPEG -1`,
      `${nameOf(1)} 3`,
      "a",
      "b",
      "c",
    ];
    writeFileSync(list, [...wrong, ...caffe(numbers.slice(7, 20))].join("\n"));
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      isLuvitError(
        "bad-dataset",
        `${list}: expected lines "ILSVRC2012_val_########.JPEG <0 … 999>", 7 are not:\n  ${"x".repeat(80)}\n`,
        "  a\n  … and 2 more",
      ),
    );
    const csv = join(root, "LOC_val_solution.csv");
    writeFileSync(csv, solution(numbers.slice(0, 1005)).slice(1).join("\n"));
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      isLuvitError("bad-dataset", "has labels of 1004 images"),
      "the first line is a heading",
    );
    writeFileSync(csv, [...solution(numbers.slice(0, 9)), `${nameOf(1)},n0144076`].join("\n"));
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      isLuvitError("bad-dataset", ", 1 are not:"),
    );
    const few = solution(numbers.slice(0, 999));
    writeFileSync(csv, few.join("\n"));
    await assert.rejects(
      labelFlat(root, root, { partial: true }),
      isLuvitError("bad-dataset", `${csv}: names 999 of 1000 classes`),
    );
  });
});

describe("the places of ImageNet-1K", () => {
  it("are looked at one after the other, its own folder last", async () => {
    const flat = `${nameOf(7)}.JPEG`;
    const root = folderOf(flat);
    const lacks = (folder: string) =>
      assert.rejects(
        imageNet1k(root, "val", { partial: true }),
        isLuvitError(
          "missing-file",
          `need a list of labels; found none of`,
          join(folder, "LOC_val_solution.csv"),
        ),
      );
    await lacks(root);
    for (const place of ["ILSVRC2012_img_val", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val", "val"]) {
      layOut(root, [`${place}/${flat}`], "stands in");
      await lacks(join(root, place));
    }
    const folders = folderOf(`${wnids[4]}/1.JPEG`);
    assert.equal((await imageNet1k(folders, "train", { partial: true })).label(0), 4);
    const names = Array.from({ length: 9 }, (_, i) => `${i}.zip`);
    await assert.rejects(
      imageNet1k(folderOf(...names), "train"),
      isLuvitError(
        "missing-file",
        "ImageNet-1K train: looked for ",
        `which holds ${names.slice(0, 8).join(", ")} and 1 more`,
      ),
    );
    await assert.rejects(
      imageNet1k(temporaryFolder(), "val"),
      isLuvitError("missing-file", "which holds nothing"),
    );
    const gone = join(root, "gone");
    await assert.rejects(
      imageNet1k(gone),
      isLuvitError("missing-file", "ImageNet-1K val: ", "which does not exist"),
    );
  });
});
