import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cardConfigs } from "../../../../src/data/sets/datasetCard";
import { isUsual, matching, namedAfter, splitsOf, usualName } from "../../../../src/data/sets/splitPatterns";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { assertRejects } from "../../io/support";

const splits = (...paths: string[]) => Object.fromEntries(splitsOf(paths));

test("shards under data/ name their split, whatever it is called, and others beside them are none of it", () => {
  assert.deepEqual(
    splits(
      "data/train-00001-of-00002.parquet",
      "data/train-00000-of-00002.parquet",
      "data/mine-00000-of-00001-0123abcd.parquet",
      "extra/train_0.parquet",
    ),
    {
      mine: ["data/mine-00000-of-00001-0123abcd.parquet"],
      train: ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
    },
  );
});

test("words of folders come before words of files, and where there are none all is for training", () => {
  assert.deepEqual(splits("train/part-0.parquet", "val/part-0.parquet", "test_0.parquet"), {
    train: ["train/part-0.parquet"],
    validation: ["val/part-0.parquet"],
  });
  assert.deepEqual(splits("a/dev/x.parquet", "b/evaluation-1/x.parquet"), {
    validation: ["a/dev/x.parquet"],
    test: ["b/evaluation-1/x.parquet"],
  });
  assert.deepEqual(splits("train_0.parquet", "train-1.parquet", "my.valid.parquet"), {
    train: ["train-1.parquet", "train_0.parquet"],
    validation: ["my.valid.parquet"],
  });
  assert.deepEqual(splits("trains.parquet", "b.parquet"), { train: ["trains.parquet", "b.parquet"] });
  assert.deepEqual(splits("data/train-0000-of-0001.parquet"), { train: ["data/train-0000-of-0001.parquet"] });
  assert.deepEqual(splits(), {});
});

test("names of splits: load_dataset's own words, and others as they are", () => {
  const names = ["train", "training", "valid", "dev", "val", "testing", "eval", "evaluation", "mine"];
  const own = ["train", "train", "validation", "validation", "validation", "test", "test", "test", "mine"];
  assert.deepEqual(names.map(usualName), own);
  assert.deepEqual(names.map(isUsual), [...names.slice(1).map(() => true), false]);
  assert.deepEqual(namedAfter("mine", ["mine/a", "x/a-mine-1/b", "a_mine_0", "yours/a"]), [
    "mine/a",
    "x/a-mine-1/b",
  ]);
  assert.deepEqual(namedAfter("mine", ["a_mine_0", "mine.parquet", "mined.parquet"]), [
    "mine.parquet",
    "a_mine_0",
  ]);
  assert.deepEqual(namedAfter("a*", ["a*/x", "ab/x"]), ["a*/x"], "a star in a name is a star");
  assert.deepEqual(matching(["b*", "*"], ["c", "ba", "bb", "a"]), ["ba", "bb", "a", "c"]);
});

async function card(text: string) {
  const folder = temporaryFolder("card");
  writeFileSync(join(folder, "README.md"), text);
  return cardConfigs(folder);
}

test("a card names its configurations, their files, and which is the default", async () => {
  const [first, second, third] = await card(`\uFEFF---
configs:
- config_name: default
  data_files: "*.parquet"
- config_name: small
  default: true
  data_dir: small
  data_files:
  - split: train
    path: [a.parquet, b.parquet]
  - split: test
    path: c.parquet
- config_name: other
  data_files: [x.parquet, y.parquet]
---
text`);
  assert.deepEqual([...first.splits!], [["train", ["*.parquet"]]]);
  assert.deepEqual(
    [...second.splits!],
    [
      ["train", ["a.parquet", "b.parquet"]],
      ["test", ["c.parquet"]],
    ],
  );
  assert.deepEqual([...third.splits!], [["train", ["x.parquet", "y.parquet"]]]);
  assert.deepEqual(
    [first, second, third].map(({ isDefault }) => isDefault),
    [true, true, false],
  );
  assert.deepEqual([first.folder, second.folder], [undefined, "small"]);
});

test("a card without a head, without configurations or none at all describes none", async () => {
  assert.deepEqual(await cardConfigs(temporaryFolder("card")), []);
  for (const text of [
    "",
    "text",
    "---\nlicense: mit\n---\n",
    "---\nconfigs: 3\n---\n",
    "---\n---\n",
    "--- a\n---\n",
  ])
    assert.deepEqual(await card(text), [], text);
});

test("heads that cannot be read, and folders that lead out of the set, are refused", async () => {
  const config = (more: string) => `---\nconfigs:\n- config_name: a\n  ${more}\n---\n`;
  for (const folder of ["../x", "/etc", "a/../../b"])
    await assertRejects(
      () => card(config(`data_dir: ${folder}`)),
      "bad-dataset",
      "leads out of the set's folder",
    );
  for (const files of [
    "data_files: [{split: train}]",
    "data_files: [{path: a}]",
    "data_files: 3",
    "data_files: [1, a]",
  ])
    await assertRejects(() => card(config(files)), "bad-dataset", "no globs and no list of split and path");
  await assertRejects(
    () => card("---\nconfigs:\n- default: true\n---\n"),
    "bad-dataset",
    "without config_name",
  );
  await assertRejects(() => card("---\nconfigs: [\n---\n"), "bad-dataset", "its head cannot be read");
});
