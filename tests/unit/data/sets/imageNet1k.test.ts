import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import { imageNet1k } from "../../../../src/data/sets";
import { temporaryFolder } from "../support";
import { filesIn, layOut, wnids } from "./standIns";

const image = "stands in for an image";
const flatName = (number: number) => `ILSVRC2012_val_${String(number).padStart(8, "0")}`;
/** Class of each of the 50,000 images, in no order. */
const classOf = (number: number) => (number * 7919) % 1000;
const numbers = Array.from({ length: 50000 }, (_, i) => i + 1);

describe("imageNet1k in class folders", () => {
  it("reads val and train, also below Kaggle's folders", async () => {
    const root = temporaryFolder();
    layOut(
      root,
      filesIn(
        wnids.map((wnid) => `val/${wnid}`),
        1,
      ),
      image,
    );
    const set = await imageNet1k(root, "val", { partial: true });
    assert.deepEqual([set.length, set.label(999), set.classes[999]], [1000, 999, wnids[999]]);
    const kaggle = temporaryFolder();
    layOut(kaggle, filesIn([`ILSVRC/Data/CLS-LOC/train/${wnids[3]}`], 2), image);
    layOut(kaggle, ["LOC_synset_mapping.txt"], wnids.map((wnid) => `${wnid} some words`).join("\n"));
    assert.equal((await imageNet1k(kaggle, "train", { partial: true })).label(0), 3);
  });

  it("names what a half-copied val lacks", async () => {
    const root = temporaryFolder();
    layOut(
      root,
      filesIn(
        wnids.slice(0, 997).map((wnid) => `val/${wnid}`),
        1,
      ),
      image,
    );
    await assert.rejects(imageNet1k(root, "val"), (error: Error) => {
      assert.match(error.message, /looked for 1000 class folders n######## with 50 images each/);
      assert.match(
        error.message,
        new RegExp(`missing class folders \\(3\\): ${wnids.slice(997).join(", ")}`),
      );
      assert.match(error.message, new RegExp(`${wnids[0]} \\(1 of 50\\).* and 977 more`));
      assert.match(error.message, /997 of 50000 images/);
      return true;
    });
  });

  it("says where it looked when there is nothing", async () => {
    const root = temporaryFolder();
    layOut(root, ["images.zip"], "x");
    await assert.rejects(imageNet1k(root, "val"), /looked for .*val.*CLS-LOC.*which holds images\.zip/);
    await assert.rejects(imageNet1k(join(root, "none")), /which does not exist/);
  });
});

describe("imageNet1k with all validation images in one folder", () => {
  const flat = (prefix: string) => [2, 1, 50000].map((number) => `${prefix}${flatName(number)}.JPEG`);

  it("is labeled by Kaggle's solution file", async () => {
    const root = temporaryFolder();
    layOut(root, flat("ILSVRC/Data/CLS-LOC/val/"), image);
    const rows = numbers.map((number) => `${flatName(number)},${wnids[classOf(number)]} 1 2 3 4`);
    layOut(root, ["LOC_val_solution.csv"], ["ImageId,PredictionString", ...rows].join("\n"));
    const set = await imageNet1k(root, "val", { partial: true });
    assert.deepEqual(
      [0, 1, 2].map((i) => set.label(i)),
      [classOf(1), classOf(2), classOf(50000)],
    );
    assert.deepEqual(set.classes, wnids);
    await assert.rejects(imageNet1k(root, "val"), /found 3:\n {2}49997 images missing: 3, 4, 5/);
  });

  it("is labeled by the development kit, whose ids are in another order than the wnids", async () => {
    const root = temporaryFolder();
    const idOf = (label: number) => 1 + ((label * 17) % 1000);
    const data = "ILSVRC2012_devkit_t12/data";
    layOut(root, flat("val/"), image);
    layOut(
      root,
      [`${data}/ILSVRC2012_validation_ground_truth.txt`],
      numbers.map((n) => idOf(classOf(n))).join("\n"),
    );
    await assert.rejects(imageNet1k(root, "val"), /counts classes as .*meta\.mat does, which does not exist/);
    layOut(root, [`${data}/meta.mat`], metaMat(wnids.map((wnid, label) => ({ id: idOf(label), wnid }))));
    const set = await imageNet1k(root, "val", { partial: true });
    assert.deepEqual(
      [0, 1, 2].map((i) => set.label(i)),
      [classOf(1), classOf(2), classOf(50000)],
    );
    assert.deepEqual(set.classes, wnids);
  });

  it("is labeled by Caffe's list", async () => {
    const root = temporaryFolder();
    layOut(root, flat(""), image);
    layOut(root, ["val.txt"], numbers.map((n) => `${flatName(n)}.JPEG ${classOf(n)}`).join("\n"));
    const set = await imageNet1k(root, "val", { partial: true });
    assert.deepEqual([set.label(0), set.classes[7]], [classOf(1), wnids[7]]);
  });

  it("needs a list, and says which ones it looked for", async () => {
    const root = temporaryFolder();
    layOut(root, flat("val/"), image);
    await assert.rejects(
      imageNet1k(root, "val"),
      /LOC_val_solution\.csv[\s\S]*ground_truth\.txt[\s\S]*val\.txt/,
    );
  });
});

/** A MAT 5 file with the struct array `synsets` as MATLAB writes it: compressed, short names in the tag itself. */
function metaMat(rows: readonly { id: number; wnid: string }[]): Buffer {
  const fields = ["ILSVRC2012_ID", "WNID", "num_children"];
  const names = Buffer.alloc(fields.length * 32);
  for (const [i, field] of fields.entries()) names.write(field, i * 32);
  const parent = { id: 1001, wnid: "n99999999" };
  const cells = [...rows, parent].flatMap((row) => [
    matrix(6, "", element(9, doubles(row.id)), 1),
    matrix(4, "", element(16, Buffer.from(row.wnid)), row.wnid.length),
    matrix(6, "", element(2, Buffer.from([row === parent ? 3 : 0])), 1),
  ]);
  const body = Buffer.concat([smallElement(5, integers(32)), element(1, names), ...cells]);
  const packed = deflateSync(matrix(2, "synsets", body, rows.length + 1));
  const header = Buffer.alloc(128);
  header.write("MATLAB 5.0 MAT-file");
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126);
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(15, 0);
  tag.writeUInt32LE(packed.length, 4);
  return Buffer.concat([header, tag, packed]);
}

function matrix(kind: number, name: string, body: Buffer, columns: number): Buffer {
  const flags = Buffer.alloc(8);
  flags[0] = kind;
  const title = name.length <= 4 ? smallElement(1, Buffer.from(name)) : element(1, Buffer.from(name));
  return element(14, Buffer.concat([element(6, flags), element(5, integers(1, columns)), title, body]));
}

function element(type: number, data: Buffer): Buffer {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(type, 0);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

function smallElement(type: number, data: Buffer): Buffer {
  if (data.length === 0) return element(type, data);
  const whole = Buffer.alloc(8);
  whole.writeUInt32LE(type | (data.length << 16), 0);
  data.copy(whole, 4);
  return whole;
}

function doubles(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function integers(...values: number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}
