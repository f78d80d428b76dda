import assert from "node:assert/strict";
import { test } from "node:test";
import { Binary, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import { Rng } from "../../../../src/core/rng";
import { huggingFace } from "../../../../src/data/sets";
import * as transforms from "../../../../src/data/transforms";
import { flatPng, isLuvitError, put, temporaryFolder } from "../support";

const small = { transform: transforms.none(2) };

test("images and labels are those of the columns that are asked for, else that are declared, else of the usual names", async () => {
  const pictures = [await flatPng(2, 2, [10, 0, 0]), await flatPng(2, 2, [200, 0, 0])];
  const texts = (values: string[]) => vectorFromArray(values, new Utf8());
  const table = (bytes: Buffer[]) =>
    tableToIPC(
      new Table({
        image: vectorFromArray(bytes, new Binary()),
        label: texts(["b", "a"]),
        pic: vectorFromArray([...bytes].reverse(), new Binary()),
        kind: texts(["x", "y"]),
      }),
      "stream",
    );
  const root = temporaryFolder();
  await put(root, "train-0.arrow", table(pictures));
  await put(root, "train-1.arrow", table(pictures));
  await put(root, "mine.arrow", table(pictures));
  const open = async (options: object = {}) => {
    const set = await huggingFace(root, { ...small, ...options });
    const reds = await Promise.all(
      [0, 1, 2, 3].map(async (i) => (await set.load(i % set.length, new Rng(0))).image[0]),
    );
    const labels = Array.from({ length: set.length }, (_, i) => set.label(i));
    return { set, dark: reds.map((red) => red < 0), labels, classes: set.classes };
  };
  const usual = await open();
  assert.deepEqual(
    [usual.dark, usual.labels, usual.classes],
    [
      [true, false, true, false],
      [1, 0, 1, 0],
      ["a", "b"],
    ],
  );
  assert.deepEqual(
    [usual.set.recent.budgetBytes, usual.set.length, usual.set.notTaken],
    [256e6, 4, ["mine.arrow"]],
  );
  assert.ok(usual.set.path(2).endsWith("train-1.arrow#0") && usual.set.path(1).endsWith("train-0.arrow#1"));
  assert.equal((await open({ groupCache: 7 })).set.recent.budgetBytes, 7);
  assert.equal((await huggingFace(root, {})).size, 224);
  assert.equal((await open({ split: "mine" })).set.length, 2);

  await put(
    root,
    "dataset_info.json",
    '{"features":{"kind":{"_type":"ClassLabel"},"pic":{"_type":"Image"}}}',
  );
  const declared = await open();
  assert.deepEqual(
    [declared.dark, declared.labels, declared.classes],
    [
      [false, true, false, true],
      [0, 1, 0, 1],
      ["x", "y"],
    ],
  );
  const asked = await open({ image: "image", label: "label" });
  assert.deepEqual([asked.dark, asked.labels], [usual.dark, usual.labels]);
  const alone = await open({ label: false });
  assert.deepEqual([alone.dark, alone.classes, alone.labels], [declared.dark, ["image"], [0, 0, 0, 0]]);
  await put(root, "dataset_info.json", '{"features":{"kind":{"_type":"ClassLabel","names":["y","x"]}}}');
  assert.deepEqual((await open()).labels, [1, 0, 1, 0]);
  const none = temporaryFolder();
  const empty = new Table({ image: vectorFromArray([], new Binary()), label: texts([]) });
  await put(none, "train.arrow", tableToIPC(empty, "stream"));
  await assert.rejects(huggingFace(none, small), isLuvitError("bad-dataset", `${none}: train has no rows`));
});
