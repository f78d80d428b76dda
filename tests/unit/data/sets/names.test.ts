import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { cardConfigs } from "../../../../src/data/sets/datasetCard";
import { globMatcher } from "../../../../src/data/sets/glob";
import { featuresBeside, savedToDisk } from "../../../../src/data/sets/savedToDisk";
import { shardFiles } from "../../../../src/data/sets/shardFiles";
import { isLuvitError, put, temporaryFolder } from "../support";

describe("globs", () => {
  it("let a star stand for nothing, a question mark and a set for one character, at every end", () => {
    const cases: [pattern: string, fits: string[], others: string[]][] = [
      ["a*", ["a", "ab", "a.b"], ["", "b", "ba", "a/b"]],
      ["*a", ["a", "ba", "aa"], ["ab", ""]],
      ["*", ["a", "", ".a"], ["a/b"]],
      ["a*b*c", ["abc", "axbxc", "abbcc", "abcbc"], ["abcd", "acb", "ab"]],
      ["a?c", ["abc", "a?c", "a.c"], ["ac", "abbc", "a/c"]],
      ["a/**", ["a/b", "a/b/c"], ["a", "ab/c"]],
      ["**/b", ["b", "a/b", "a/a/b"], ["ab", "b/a"]],
      ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]],
      ["**", ["a", "a/b"], []],
      ["/a", ["a"], ["/a"]],
      ["./a", ["a"], ["./a"]],
      ["././a", ["a"], []],
      [".a", [".a"], ["a"]],
      ["a**", ["a", "abc"], ["a/b"]],
      ["[abc]", ["a", "c"], ["d", "ab", ""]],
      ["[!abc]", ["d"], ["a", ""]],
      ["[a-c]x", ["bx"], ["dx", "-x"]],
      ["[!a-c]x", ["dx"], ["bx"]],
      ["[^a]", ["^", "a"], ["b"]],
      ["[]a]", ["]", "a"], ["b"]],
      ["[!]a]", ["b"], ["]", "a"]],
      ["[\\]", ["\\"], ["]", "a"]],
      ["[a", ["[a"], ["a"]],
      ["a.b", ["a.b"], ["axb"]],
      ["(a|b)+$", ["(a|b)+$"], ["a", "ab"]],
      ["A", ["A"], ["a"]],
    ];
    for (const [pattern, fits, others] of cases) {
      const matches = globMatcher(pattern);
      for (const path of fits) assert.ok(matches(path), `${pattern} takes ${path}`);
      for (const path of others) assert.ok(!matches(path), `${pattern} does not take ${path}`);
    }
  });
});

describe("a card", () => {
  const card = (text: string) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "README.md"), text);
    return cardConfigs(folder);
  };

  it("may end its lines as Windows does, and end with its head", async () => {
    const head = ["---", "configs:", "- config_name: one", "  data_dir: a/b", "---"];
    for (const text of [
      head.join("\n"),
      head.join("\r\n"),
      `${head.join("\r\n")}\r\ntext\r\n---\r\n`,
      `${head.join("\n")}  \n# x`,
    ])
      assert.deepEqual(
        (await card(text)).map(({ name, folder, isDefault }) => [name, folder, isDefault]),
        [["one", "a/b", false]],
      );
    assert.deepEqual(await card(`\n${head.join("\n")}`), [], "a head stands first");
    const [plain] = await card(head.join("\n").replace("data_dir: a/b", "default: yes"));
    assert.deepEqual([plain.isDefault, plain.folder, plain.splits], [false, undefined, undefined]);
  });

  it("leads nowhere out of its folder, by slashes of either kind", async () => {
    const withFolder = (folder: string) =>
      card(`---\nconfigs:\n- config_name: a\n  data_dir: '${folder}'\n---\n`);
    for (const folder of ["..", "a\\..\\..\\b", "a/..", "/"])
      await assert.rejects(
        withFolder(folder),
        isLuvitError("bad-dataset", "leads out of the set's folder: "),
      );
    for (const folder of ["a..b", "...", "a/.b"]) assert.equal((await withFolder(folder))[0].folder, folder);
  });
});

describe("what save_to_disk wrote", () => {
  const json = (value: unknown) => JSON.stringify(value);

  it("is the files that its state names, in that order, below the split that is asked for", async () => {
    const folder = temporaryFolder();
    assert.equal(await savedToDisk(folder, "train"), undefined);
    for (const name of ["b.arrow", "a.arrow", "c.arrow"]) await put(folder, `mine/${name}`, "");
    const state = { _data_files: [{ filename: "b.arrow" }, { filename: "a.arrow" }] };
    await put(folder, "mine/state.json", json(state));
    await put(folder, "mine/dataset_info.json", json({ features: { x: { _type: "Image" } } }));
    const alone = await savedToDisk(join(folder, "mine"), "whatever");
    assert.deepEqual(alone, {
      files: [join(folder, "mine", "b.arrow"), join(folder, "mine", "a.arrow")],
      features: { x: { _type: "Image" } },
      notTaken: [],
    });
    await put(folder, "dataset_dict.json", json({ splits: ["mine", "other"] }));
    assert.deepEqual(await savedToDisk(folder, "mine"), alone);
    await assert.rejects(
      savedToDisk(folder, "train"),
      isLuvitError("missing-file", `${folder}: looked for the split train, found mine, other`),
    );
    await put(folder, "dataset_dict.json", json({ splits: [] }));
    await assert.rejects(savedToDisk(folder, "train"), isLuvitError("missing-file", "train, found none"));
  });

  it("lies in its own folder, whatever its state says, and is missed by name", async () => {
    const folder = temporaryFolder();
    await put(folder, "in/a.arrow", "");
    const withFiles = (files: unknown) => put(folder, "in/state.json", json({ _data_files: files }));
    const read = () => savedToDisk(join(folder, "in"), "train");
    await withFiles([{ filename: "../../elsewhere/a.arrow" }]);
    assert.deepEqual((await read())?.files, [join(folder, "in", "a.arrow")]);
    await withFiles([{ filename: "a.arrow" }, { filename: "b.arrow" }, { filename: 7 }, null]);
    await assert.rejects(
      read(),
      isLuvitError("bad-dataset", "state.json names files that are missing:\n  b.arrow\n  7\n"),
    );
    for (const none of [[], undefined, "a.arrow"]) {
      await withFiles(none);
      await assert.rejects(read(), isLuvitError("bad-dataset", "state.json names no files"));
    }
  });

  it("is described in JSON, or refused by the name of the file and its cause", async () => {
    const folder = temporaryFolder();
    assert.deepEqual(await featuresBeside(folder), {});
    const info = await put(folder, "dataset_info.json", "{}");
    assert.deepEqual(await featuresBeside(folder), {});
    for (const text of ["3", "null", '"x"']) {
      writeFileSync(info, text);
      await assert.rejects(
        featuresBeside(folder),
        isLuvitError("bad-file", `${info}: expected an object in JSON`),
      );
    }
    writeFileSync(info, "{");
    await assert.rejects(
      featuresBeside(folder),
      (error: Error) => isLuvitError("bad-file", `${info}: `)(error) && error.cause instanceof SyntaxError,
    );
  });
});

describe("files of a set", () => {
  it("are one file by itself, described beside it, a folder of one configuration, or nothing that is there", async () => {
    const folder = temporaryFolder();
    await put(folder, "one/x.parquet", "");
    await put(folder, "one/y.arrow", "");
    await put(folder, "one/z.csv", "");
    await put(folder, "one/dataset_info.json", '{"features":{"i":{}}}');
    for (const name of ["x.parquet", "y.arrow"]) {
      const file = join(folder, "one", name);
      assert.deepEqual(await shardFiles(file, "any"), { files: [file], features: { i: {} }, notTaken: [] });
    }
    const csv = join(folder, "one", "z.csv");
    await assert.rejects(
      shardFiles(csv, "train"),
      isLuvitError("bad-dataset", `${csv}: expected a file *.parquet or *.arrow, or a folder of them`),
    );
    await assert.rejects(
      shardFiles(join(folder, "none"), "train"),
      isLuvitError("missing-file", `${join(folder, "none")}: no such file or folder`),
    );
    const below = await shardFiles(folder, "train", "one");
    assert.deepEqual(below.features, { i: {} });
    assert.deepEqual(
      below.files.map((file) => relative(folder, file)),
      [join("one", "x.parquet")],
    );
    assert.deepEqual(below.notTaken, ["y.arrow"], "of as many of both kinds Parquet is taken");
    await put(folder, "two/x.parquet", "");
    assert.deepEqual((await shardFiles(folder, "train")).features, {}, "two folders have two descriptions");
    await assert.rejects(
      shardFiles(folder, "train", "three"),
      isLuvitError("missing-file", "three: no such folder"),
    );
  });

  it("of a card's only configuration need no name, and a folder that is there may be named instead", async () => {
    const folder = temporaryFolder();
    for (const name of ["a/train.parquet", "b/train.parquet", "c/part.parquet"]) await put(folder, name, "");
    const readme = (...configs: string[]) =>
      writeFileSync(
        join(folder, "README.md"),
        `---\nconfigs:\n${configs.map((name) => `- config_name: ${name}\n  data_dir: ${name}\n`).join("")}---\n`,
      );
    const filesOf = async (config?: string, split = "train") =>
      (await shardFiles(folder, split, config)).files.map((file) => relative(folder, file));
    readme("a");
    assert.deepEqual(await filesOf(), [join("a", "train.parquet")]);
    assert.deepEqual(await filesOf("b"), [join("b", "train.parquet")]);
    await assert.rejects(
      filesOf("x"),
      isLuvitError("bad-dataset", "its README.md has no x; name one with config: a"),
    );
    readme("a", "default");
    mkdirSync(join(folder, "default"));
    await put(folder, "default/train.arrow", "");
    assert.deepEqual(await filesOf(), [join("default", "train.arrow")]);
  });

  it("that are not found are answered with the splits there are, and ten of the others", async () => {
    const folder = temporaryFolder();
    for (let i = 10; i < 22; i++) await put(folder, `x${i}.csv`, "");
    await assert.rejects(
      shardFiles(folder, "train"),
      isLuvitError(
        "missing-file",
        "looked for the split train, found no *.parquet and no *.arrow files; in no split: x10.csv, ",
        "x19.csv and 2 more",
      ),
    );
    await put(folder, "test.parquet", "");
    await put(folder, "rest.parquet", "");
    await assert.rejects(
      shardFiles(folder, "train"),
      (error: Error) =>
        isLuvitError("missing-file", "found test (1 file); in no split: rest.parquet")(error) &&
        error.message.endsWith("rest.parquet"),
    );
  });
});
