import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ImageDataset } from "../../../src/data/dataset";
import { compareFiles, filesOf } from "../../../src/train/dataFiles";
import { temporaryFolder } from "./support";

/** A set of files [path, label]. */
function setOf(files: readonly (readonly [path: string, label: number])[], classes = ["cat", "dog"]) {
  const at = (index: number) => files[index];
  const set = {
    classes,
    length: files.length,
    path: (i: number) => at(i)[0],
    label: (i: number) => at(i)[1],
  };
  return set as unknown as ImageDataset;
}

/** Writes files of so many bytes; gives back their paths. */
function write(root: string, sizes: Record<string, number>): string[] {
  return Object.entries(sizes).map(([name, size]) => {
    writeFileSync(join(root, name), "x".repeat(size));
    return join(root, name);
  });
}

const short = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);

test("a class's files are their number, their bytes, and digests of names below the common folder and of sizes", async () => {
  const root = temporaryFolder();
  const [a, b, c] = write(root, { "a.png": 3, "b.png": 5, "c.png": 7 });
  const files = await filesOf(
    setOf([
      [a, 1],
      [b, 0],
      [c, 1],
      [join(root, "gone.png"), 7],
    ]),
  );
  assert.deepEqual(files, {
    dog: { files: 2, bytes: 10, names: short("/a.png\n/c.png\n"), sizes: short("3\n7\n") },
    cat: { files: 1, bytes: 5, names: short("/b.png\n"), sizes: short("5\n") },
    7: { files: 1, bytes: 0, names: short("/gone.png\n"), sizes: short("") },
  });
  assert.deepEqual(await filesOf(setOf([])), {});
});

test("rows of a table have the size of their file, and the order of images counts", async () => {
  const root = temporaryFolder();
  const [table] = write(root, { "t#1.parquet": 9 });
  const rows = (order: readonly number[]) => setOf(order.map((row) => [`${table}#${row}`, 0] as const));
  const { cat } = await filesOf(rows([0, 12]));
  assert.deepEqual([cat.files, cat.bytes, cat.sizes], [2, 18, short("9\n9\n")]);
  assert.notEqual((await filesOf(rows([12, 0]))).cat.names, cat.names);
});

test("files in several folders have no more than their common beginning taken off", async () => {
  const files = setOf([
    ["/data/a/1.png", 0],
    ["/data/ab/2.png", 0],
    ["/data/b/3.png", 0],
  ]);
  assert.equal((await filesOf(files)).cat.names, short("/a/1.png\n/ab/2.png\n/b/3.png\n"));
  const apart = setOf([
    ["one/1.png", 0],
    ["two/1.png", 0],
  ]);
  assert.equal((await filesOf(apart)).cat.names, short("one/1.png\ntwo/1.png\n"));
});

test("what a run began with is noted once; five classes that are others now are named, and how many more", async () => {
  const [root, folder] = [temporaryFolder(), temporaryFolder()];
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const paths = write(root, Object.fromEntries(names.map((name, i) => [`${name}.png`, i + 1])));
  const set = setOf(
    paths.map((path, i) => [path, i]),
    names,
  );
  const note = join(folder, "data.json");
  assert.deepEqual(await compareFiles(folder, { training: set }, false), []);
  assert.equal(JSON.parse(readFileSync(note, "utf8")).training.c.bytes, 3);
  assert.deepEqual(await compareFiles(folder, { training: set, validation: set }, true), [], "none noted");
  write(root, Object.fromEntries(names.map((name, i) => [`${name}.png`, i + 2])));
  const [line, ...others] = await compareFiles(folder, { training: set }, true);
  assert.deepEqual(others, []);
  const each = names.slice(0, 5).map((name, i) => {
    const [was, is] = [i + 1, i + 2].map((bytes) => `1 files of ${bytes} bytes`);
    return `class ${name} has files of other sizes (${was}, now ${is})`;
  });
  assert.equal(line, `the training data are not those this run began with: ${each.join(", ")} and 2 more`);
  assert.equal(JSON.parse(readFileSync(note, "utf8")).training.c.bytes, 3, "what it began with stays");
  const [fewer] = await compareFiles(folder, { training: setOf([[paths[0], 0]], names) }, true);
  assert.match(fewer, /class b has files of other names \(1 files of 2 bytes, now 0 files of 0 bytes\)/);
  assert.match(fewer, /class e .* and 2 more$|class f .* and \d more$/);
});

test("a run that goes on where nothing, or nothing that can be read, was noted notes it then", async () => {
  const [root, folder] = [temporaryFolder(), temporaryFolder()];
  const set = setOf(write(root, { "a.png": 3 }).map((path) => [path, 0]));
  const note = join(folder, "data.json");
  for (const text of [undefined, "{"]) {
    if (text) writeFileSync(note, text);
    assert.equal(existsSync(note), text !== undefined);
    assert.deepEqual(await compareFiles(folder, { training: set }, true), []);
    assert.equal(JSON.parse(readFileSync(note, "utf8")).training.cat.files, 1);
  }
});

test("of more than 20,000 images every so manieth is asked for its size, spread evenly", async () => {
  const root = temporaryFolder();
  const [small, large] = write(root, { "small.png": 1, "large.png": 10 });
  // Two of each three are large, and the first of each three, which is asked, is small.
  const files = Array.from({ length: 45_000 }, (_, i) => [i % 3 === 0 ? small : large, 0] as const);
  const { cat } = await filesOf(setOf(files));
  assert.deepEqual([cat.files, cat.bytes], [45_000, 15_000]);
});
