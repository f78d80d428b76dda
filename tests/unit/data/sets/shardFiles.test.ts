import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { globMatcher } from "../../../../src/data/sets/glob";
import { shardFiles } from "../../../../src/data/sets/shardFiles";
import { put, temporaryFolder } from "../support";

async function folderOf(paths: readonly string[], readme?: string): Promise<string> {
  const folder = temporaryFolder();
  for (const path of paths) await put(folder, path, "");
  if (readme !== undefined) await put(folder, "README.md", readme);
  return folder;
}

interface Asked {
  split?: string;
  config?: string;
  readme?: string;
}

async function filesOf(
  paths: readonly string[],
  { split = "train", config, readme }: Asked = {},
): Promise<string[]> {
  const folder = await folderOf(paths, readme);
  return (await shardFiles(folder, split, config)).files.map((file) => relative(folder, file));
}

/** What a split consists of is what `datasets` 5.0.1 makes of the same names. */
describe("files of a split", () => {
  it("carry its name, with a separator behind it or on both sides", async () => {
    const numbered = ["train_0.parquet", "train_1.parquet", "train_10.parquet", "train_2.parquet"];
    assert.deepEqual(await filesOf([...numbered, "test_0.parquet"]), numbered);
    for (const name of [
      "train.arrow",
      "my-train.parquet",
      "a train b.parquet",
      "x.train_1.parquet",
      "train2.parquet",
    ])
      assert.deepEqual(await filesOf([name, "test.parquet"]), [name]);
    for (const name of ["trainer.parquet", "Train.parquet", "mytrain.parquet", "pretrained-1.parquet"])
      await assert.rejects(
        filesOf([name, "test.parquet"]),
        /looked for the split train, found test \(1 file\)/,
      );
  });

  it("lie in a folder of its name, at any depth", async () => {
    const parts = ["data/train/part-0.parquet", "data/train/more/part-1.parquet", "train-2/0.parquet"];
    assert.deepEqual(await filesOf([...parts, "data/test/0.parquet", "train.parquet"]), [
      "data/train/more/part-1.parquet",
      "data/train/part-0.parquet",
      "train-2/0.parquet",
    ]);
    assert.deepEqual(
      await filesOf(["default/train/0000.parquet", "default/dev/0000.parquet"], { split: "validation" }),
      ["default/dev/0000.parquet"],
    );
  });

  it("are known by every word that stands for it", async () => {
    const words = {
      train: ["train", "training"],
      validation: ["validation", "valid", "dev", "val"],
      test: ["test", "testing", "eval", "evaluation"],
    };
    for (const [split, names] of Object.entries(words)) {
      for (const name of names) {
        for (const path of [`${name}-0.parquet`, `${name}/0.parquet`, `a/b_${name}.arrow`]) {
          assert.deepEqual(await filesOf([path], { split }), [path]);
          assert.deepEqual(await filesOf([path], { split: name }), [path]);
        }
      }
    }
  });

  it("are numbered with their count in data/, where any name is a split", async () => {
    const paths = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"];
    const all = [...paths, "data/mini-00000-of-00001-0a1b.parquet", "test.parquet"];
    assert.deepEqual(await filesOf(all), paths);
    assert.deepEqual(await filesOf(all, { split: "mini" }), [all[2]]);
    await assert.rejects(filesOf(all.slice(1)), /train: found 1 of 2 shards in .*missing: 00000/);
  });

  it("are counted folder by folder, name by name and count by count", async () => {
    const whole = (name: string) => [0, 1].map((i) => `${name}-0000${i}-of-00002.parquet`);
    const complete = [...whole("a/train"), ...whole("b/train"), ...whole("b/train-more")];
    assert.deepEqual(await filesOf(complete), complete);
    for (const [missing, summary] of [
      ["a/train-00001-of-00002.parquet", /train: found 1 of 2 shards in .*a, missing: 00001$/],
      ["b/train-00000-of-00002.parquet", /train: found 1 of 2 shards in .*b, missing: 00000$/],
      ["b/train-more-00000-of-00002.parquet", /train-more: found 1 of 2 shards in .*b, missing: 00000$/],
    ] as const)
      await assert.rejects(filesOf(complete.filter((path) => path !== missing)), summary);
    await assert.rejects(
      filesOf(["train-00000-of-00001.parquet", "train-00000-of-00002.parquet"]),
      /train: found 1 of 2 shards in .*missing: 00001$/,
    );
    await assert.rejects(
      filesOf(["train-00001-of-00001.parquet"]),
      /train: found 0 of 1 shards in .*missing: 00000$/,
    );
    await assert.rejects(
      filesOf(["train-00000-of-00022.parquet"]),
      /found 1 of 22 shards in .*missing: 00001, 00002, .*, 00020 …$/,
    );
    await assert.rejects(filesOf(["train-00000-of-00021.parquet"]), /missing: 00001, .*, 00020$/);
  });

  it("are all of them, as train, where no name says anything", async () => {
    const loose = ["0000.parquet", "b/part-0.parquet", "images.parquet"];
    assert.deepEqual(await filesOf(loose), loose);
    await assert.rejects(
      filesOf(loose, { split: "test" }),
      /looked for the split test, found train \(3 files\)/,
    );
  });

  it("may carry a name of one's own", async () => {
    assert.deepEqual(await filesOf(["fold1.parquet", "fold2.parquet"], { split: "fold2" }), [
      "fold2.parquet",
    ]);
    assert.deepEqual(await filesOf(["toy-mini.arrow"], { split: "mini" }), ["toy-mini.arrow"]);
  });

  it("are neither hidden ones nor notes of datasets and Python", async () => {
    const others = [".cache/train-1.parquet", "__pycache__/train.parquet", "cache-1.arrow", ".train.parquet"];
    assert.deepEqual(await filesOf([...others, "train.parquet"]), ["train.parquet"]);
  });

  it("may be links to files, as the hub's cache has them", async () => {
    const folder = await folderOf([]);
    const blobs = await folderOf(["0a1b", "2c3d"]);
    for (const [blob, name] of [
      ["0a1b", "train-00000-of-00002.parquet"],
      ["2c3d", "train-00001-of-00002.parquet"],
    ])
      symlinkSync(join(blobs, blob), join(folder, name));
    const { files } = await shardFiles(folder, "train");
    assert.equal(files.length, 2);
  });

  it("are of one format, that of most of them", async () => {
    const folder = await folderOf(["train-0.arrow", "train-1.arrow", "train.parquet"]);
    const { files, notTaken } = await shardFiles(folder, "train");
    assert.deepEqual(
      [files.map((file) => relative(folder, file)), notTaken],
      [["train-0.arrow", "train-1.arrow"], ["train.parquet"]],
    );
  });

  it("leave others out, which are named, those of other splits not", async () => {
    const folder = await folderOf(["train.parquet", "test.parquet", "extra.parquet", "more/rest.arrow"]);
    assert.deepEqual((await shardFiles(folder, "train")).notTaken, ["extra.parquet", "more/rest.arrow"]);
  });

  it("are missed with what is there instead", async () => {
    const found = /found no \*\.parquet and no \*\.arrow files; in no split: notes\.txt, train\.csv$/;
    await assert.rejects(filesOf(["train.csv", "notes.txt"]), found);
  });
});

describe("a data set's card", () => {
  const two = `---
license: mit
configs:
- config_name: en
  data_files:
  - split: train
    path: english/part-*
  - split: test
    path: [english/last.parquet, "english/t?.parquet"]
- config_name: de
  data_dir: german
---
# Images
`;
  const paths = [
    "english/part-0.parquet",
    "english/part-1.parquet",
    "english/last.parquet",
    "english/t1.parquet",
  ];
  const all = [...paths, "german/train.parquet", "train.parquet"];

  it("says which files make a split of a configuration", async () => {
    const en = { config: "en", readme: two };
    assert.deepEqual(await filesOf(all, en), paths.slice(0, 2));
    assert.deepEqual(await filesOf(all, { ...en, split: "test" }), paths.slice(2));
    assert.deepEqual(await filesOf(all, { config: "de", readme: two }), ["german/train.parquet"]);
    await assert.rejects(filesOf(all, { ...en, split: "dev" }), /found train \(2 files\), test \(2 files\)/);
  });

  it("with several configurations asks for one, unless one is the default", async () => {
    await assert.rejects(
      filesOf(all, { readme: two }),
      /its README\.md has several; name one with config: en, de/,
    );
    await assert.rejects(
      filesOf(all, { readme: two, config: "fr" }),
      /has no fr; name one with config: en, de/,
    );
    const chosen = two.replace("data_dir: german", "data_dir: german\n  default: true");
    assert.deepEqual(await filesOf(all, { readme: chosen }), ["german/train.parquet"]);
  });

  it("without a list of configurations says nothing", async () => {
    for (const readme of [
      "# Images\n",
      "---\nlicense: mit\n---\n",
      "---\n---\n",
      "---\nconfigs: none\n---\n",
    ])
      assert.deepEqual(await filesOf(["train.parquet"], { readme }), ["train.parquet"]);
  });

  it("that is no YAML, or says something else, is refused in words", async () => {
    for (const head of ["configs: [", "configs:\n- 3", "configs:\n- config_name: a\n  data_files:\n  - 7"])
      await assert.rejects(filesOf(["train.parquet"], { readme: `---\n${head}\n---\n` }), {
        code: "bad-dataset",
        message: /README\.md: its head cannot be read \(/,
      });
  });
});

describe("globs", () => {
  it("mean what fsspec means by them", () => {
    const cases: [string, string, boolean][] = [
      ["data/train-*", "data/train-0.parquet", true],
      ["data/train-*", "data/a/train-0.parquet", false],
      ["./data/*.parquet", "data/x.parquet", true],
      ["**/x.*", "x.parquet", true],
      ["**/x.*", "a/b/x.parquet", true],
      ["a/**", "a/b/c.parquet", true],
      ["a/**", "a", false],
      ["a[0-9].p", "a7.p", true],
      ["a[!0-9].p", "a7.p", false],
      ["a[]].p", "a].p", true],
      ["a?(b|c)+.p", "ax(b|c)+.p", true],
      ["a?(b|c)+.p", "axb.p", false],
      ["**/a/**/*b*.p", "x/a/y/a/z/abc.p", true],
      ["**/a/**/*b*.p", "x/a/y/a/z/acd.p", false],
      ["**", "x", true],
    ];
    for (const [pattern, path, fits] of cases)
      assert.equal(globMatcher(pattern)(path), fits, `${pattern} ${path}`);
  });

  it("take no longer than their length times the path's", () => {
    assert.equal(globMatcher(`${"*a".repeat(60)}b`)("a".repeat(250)), false);
    assert.equal(globMatcher(`${"**/a/".repeat(60)}b`)("a/".repeat(250)), false);
  });

  it("with sets of characters that are none are refused", () => {
    assert.throws(() => globMatcher("train-[z-a].parquet"), /\[z-a\]/);
  });
});
