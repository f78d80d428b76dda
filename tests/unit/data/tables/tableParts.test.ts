import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import type { LuvitError } from "../../../../src/core/errors";
import { Rng } from "../../../../src/core/rng";
import { SkipReport } from "../../../../src/data/dataset";
import { PixelCache } from "../../../../src/data/reading";
import { huggingFace } from "../../../../src/data/sets";
import { expectRowCount, featuresFrom, imageOf } from "../../../../src/data/tables/imageTable";
import { expectGrowth, expectPages } from "../../../../src/data/tables/parquetPages";
import { RecentGroups } from "../../../../src/data/tables/recentGroups";
import { TableDataset, type TableParts } from "../../../../src/data/tables/tableDataset";
import { TableFile } from "../../../../src/data/tables/tableFile";
import { unpackZstdFrame } from "../../../../src/data/tables/zstdFrame";
import { evaluation, mae, none } from "../../../../src/data/transforms";
import { assertRejects } from "../../io/support";
import { flatPng, put, temporaryFolder } from "../support";
import { small } from "./support";

const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");

test("a table's bytes are those of its file, in whatever order they are asked for, and belong to who asked", async () => {
  const path = join(temporaryFolder(), "table");
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) % 251);
  writeFileSync(path, bytes);
  const places = [
    [0, 8],
    [40_000, 40_010],
    [8, 32_776], // as long as what is read at once
    [5, 32_774], // longer
    [72_700, 72_760],
    [39_999, 40_001], // before what was read
    [99_990, 100_000],
    [100_000, 100_000],
    [0, 100_000],
  ];
  const file = await TableFile.opened(path, async (opened) => {
    assert.equal(opened.size, bytes.length);
    for (const [start, end] of places) {
      const found = await opened.read(start, end);
      assert.deepEqual(found, bytes.slice(start, end), `${start} … ${end}`);
      found.fill(7);
    }
    await assertRejects(() => opened.read(99_000, 100_001), "bad-file", "ends at byte 100000, before 100001");
    return opened;
  });
  for (const [start, end] of places) assert.deepEqual(await file.read(start, end), bytes.slice(start, end));
  truncateSync(path, 50_000);
  await assertRejects(() => file.read(49_990, 50_010), "bad-file", "ended at byte 50000 while it was read");
});

test("what goes wrong in a table is told with its file, in words where a decoder has none, and its cause is kept", async () => {
  const path = join(temporaryFolder(), "table");
  writeFileSync(path, "x");
  for (const [thrown, says] of [
    [
      new RangeError("Offset is outside"),
      "cannot be read as a table (its structure is damaged; copy it again)",
    ],
    [new TypeError("Cannot read"), "its structure is damaged"],
    [new Error("no such codec"), "cannot be read as a table (no such codec)"],
  ] as const) {
    await assert.rejects(
      TableFile.opened(path, () => Promise.reject(thrown)),
      (error: LuvitError) => {
        assert.deepEqual([error.code, error.cause], ["bad-file", thrown]);
        return error.message.startsWith(`${path}: `) && error.message.includes(says);
      },
    );
  }
});

/** A page header: kind, its sizes, and a count of values in the struct of its kind; then what is stored. */
function page(
  kind: 5 | 7 | 8,
  { unpacked = 40, stored = 4, values = 2, others = [0, 0, 0] as readonly number[] } = {},
): number[] {
  const number = (value: number): number[] => {
    let left = value >= 0 ? 2 * value : -2 * value - 1;
    const bytes: number[] = [];
    for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
    return [0x15, ...bytes, left];
  };
  const inner = [values, ...others].flatMap(number);
  const head = [...number(kind === 5 ? 0 : kind === 7 ? 2 : 3), ...number(unpacked), ...number(stored)];
  return [...head, ((kind - 3) << 4) | 12, ...inner, 0, 0, ...Array(Math.max(0, stored)).fill(1)];
}

test("the pages of a column fill it, hold as many values as its group has rows, and unpack to what they justify", () => {
  const walk = (pages: readonly number[][], rows = 4, most = Number.POSITIVE_INFINITY) =>
    expectPages(Uint8Array.from(pages.flat()), rows, "x", most);
  walk([page(7, { values: 4 }), page(5), page(5)]);
  walk([page(8, { others: [0, 0, 0, 0, 0] })]);
  walk([]);
  walk([page(5, { stored: 0, unpacked: 0 })]);
  const refused = (pages: readonly number[][], says: RegExp, rows = 4, most?: number) =>
    assert.throws(() => walk(pages, rows, most), { code: "bad-file", message: says });
  refused([page(5), page(5), page(5, { values: 1 })], /pages hold more than the 4 values of their group/);
  refused([page(5, { values: 5 })], /more than the 4 values/);
  // A dictionary may have as many entries as it has bytes, where these are more than rows, up to a million beside them.
  walk([page(7, { values: 40 })]);
  refused([page(7, { values: 41 })], /more than the 4 values/);
  const large = { unpacked: 2 ** 21, stored: 2 ** 15 };
  walk([page(7, { ...large, values: 2 ** 20 + 4 })]);
  refused([page(7, { ...large, values: 2 ** 20 + 5 })], /more than the 4 values/);
  refused([page(5, { values: -1 })], /a page header with a count below 0/);
  refused([page(5, { others: [-1] })], /a count below 0/);
  refused([page(5, { others: [] })], /a page header without its field 2/);
  refused([page(8)], /a page header without its field 5/);
  refused([page(5).slice(0, -1)], /a page of 4 bytes where 3 are left/);
  refused([page(5, { stored: -1 })], /a page of -1 bytes/);
  refused([page(5, { unpacked: -1 })], /of 4 bytes that would unpack to -1/);
  const most = 2 ** 12 + 64 * 4 + 16 * 4;
  walk([page(5, { unpacked: most })]);
  refused(
    [page(5, { unpacked: most + 1 })],
    new RegExp(`a page of 4 bytes that would unpack to ${most + 1}`),
  );
  walk([page(5), page(5)], 4, 80);
  assert.throws(() => walk([page(5), page(5)], 4, 79), { code: "bad-dataset" });
  expectGrowth(0, 4096, 0, "x");
  assert.throws(() => expectGrowth(0, 4097, 0, "x"), /x of 0 bytes that would unpack to 4097/);
});

test("a cell's image is its bytes, else its path; features are what datasets noted, or none", () => {
  assert.deepEqual(imageOf("x", Uint8Array.of(1), "p"), Uint8Array.of(1));
  for (const bytes of [null, undefined, new Uint8Array()]) assert.equal(imageOf("x", bytes, "p"), "p");
  for (const path of [null, undefined, ""])
    assert.throws(() => imageOf("x", null, path), {
      code: "bad-image",
      message: "x: the table holds no image here",
    });
  const features = { label: { _type: "ClassLabel", names: ["a"] } };
  assert.deepEqual(featuresFrom(JSON.stringify({ info: { features } })), features);
  for (const text of [undefined, "", "{", "{}", '{"info":{}}']) assert.deepEqual(featuresFrom(text), {});
  expectRowCount("x", 2 ** 20 + 125, 1000);
  for (const rows of [2 ** 20 + 126, -1, 0.5])
    assert.throws(() => expectRowCount("x", rows, 1000), {
      code: "bad-file",
      message: `x: ${rows} rows in a file of 1000 bytes`,
    });
});

test("a Zstandard frame says its length in one, two, four or eight bytes, behind a dictionary's number, or not at all", async () => {
  const head = [0x28, 0xb5, 0x2f, 0xfd];
  const says = (bytes: number[], reason: RegExp, length = 5) =>
    assert.rejects(unpackZstdFrame(Uint8Array.from([...head, ...bytes, 0, 0]), length), reason);
  await says([0x20, 9], /frame of 9 bytes, expected 5/);
  await says([0x60, 9, 1], /frame of 521 bytes/); // two bytes count from 256 on
  await says([0xa0, 9, 0, 1, 0], /frame of 65545 bytes/);
  await says([0xe0, 9, 0, 0, 0, 1, 0, 0, 0], /frame of 4294967305 bytes/);
  for (const [flag, size] of [
    [1, 1],
    [2, 2],
    [3, 4],
  ])
    await says([0x20 | flag, ...Array(size).fill(200), 9], /frame of 9 bytes/);
  // A window of 2^(10 + e) and m eighths more; with the length behind it.
  await says([0x40, (10 << 3) | 3, 9, 0], /frame of 265 bytes/);
  await says([0x00, (7 << 3) | 1], /window of 147456 bytes/);
  await says([0x00, (7 << 3) | 1], /window of 147456 bytes/, (147_456 - 2 ** 17) / 2 - 1);
  const enough = unpackZstdFrame(Uint8Array.from([...head, 0, (7 << 3) | 1, 0, 0]), (147_456 - 2 ** 17) / 2);
  await assert.rejects(enough, (error: Error) => !/window/.test(error.message));
});

/** A set of `rows` rows in files of five, in groups of two or three, whose images lie beside them. */
function setOf(root: string, rows: number, change: Partial<TableParts> = {}) {
  const files = Math.ceil(rows / 5);
  const numbers = (of: (row: number) => number) => Int32Array.from({ length: rows }, (_, i) => of(i));
  return new TableDataset({
    root,
    classes: ["a", "b"],
    shards: Array.from({ length: files }, (_, file) => ({
      path: `part-${file}`,
      image: async (row: number) => (row % 2 === 0 ? `${file}.png` : join(root, `${file}.png`)),
    })) as never,
    rows: {
      shard: numbers((i) => Math.floor(i / 5)),
      row: numbers((i) => i % 5),
      group: numbers((i) => 2 * Math.floor(i / 5) + (i % 5 < 2 ? 0 : 1)),
      labels: numbers((i) => i % 2),
    },
    transform: none(4),
    cache: new PixelCache(0),
    recent: new RecentGroups(1000),
    report: new SkipReport(),
    notTaken: [],
    ...change,
  });
}

test("rows of tables are named by file and row; images that lie in files are found from the set's folder", async () => {
  const root = temporaryFolder();
  for (const file of [0, 1]) await put(root, `${file}.png`, await flatPng(4, 4, [100 * file, 0, 0]));
  const set = setOf(root, 8);
  assert.deepEqual(
    [set.path(0), set.path(6), set.label(6), set.length, set.size],
    ["part-0#0", "part-1#1", 0, 8, 4],
  );
  const [first] = (await set.load(0, new Rng(0))).image;
  for (const i of [0, 1]) assert.equal((await set.load(i, new Rng(0))).image[0], first);
  for (const i of [5, 6]) assert.ok((await set.load(i, new Rng(0))).image[0] > first);
  const part = set.subset([6, 0]).subset([1, 0, 0]);
  assert.deepEqual(
    [0, 1, 2].map((i) => part.path(i)),
    ["part-0#0", "part-1#1", "part-1#1"],
  );
  const { image, index, path } = await part.load(1, new Rng(0));
  assert.deepEqual([image[0] > first, index, path], [true, 1, "part-1#1"]);
  assert.throws(() => part.path(3), /image 3 does not exist; the data set holds 0 … 2/);
  const other = part.withTransform(evaluation(2));
  assert.deepEqual([other.size, other.length, other.path(1), other.report], [2, 3, "part-1#1", set.report]);
  assert.deepEqual(other.preprocessing, evaluation(2).preprocessing);
  assert.deepEqual([set.hasBytes, set.withTransform(mae(4)).preprocessing], [true, undefined]);
});

test("a set of tables prints its rows, files, classes, what could not be read and what was not taken", () => {
  const text = "TableDataset(there) 8 images in 2 files, 2 classes, none 4 px";
  assert.equal(inspect(setOf("there", 8)), text);
  assert.match(inspect(setOf("there", 3)), /3 images in 1 file,/);
  const report = new SkipReport();
  report.add("x", "x: broken");
  const names = ["a", "b", "c", "d", "e"];
  assert.equal(
    inspect(setOf("there", 8, { report, notTaken: names })),
    `${text}, 1 unreadable, not taken: a, b, c, d, e`,
  );
  const more = inspect(setOf("there", 8, { notTaken: [...names, "f", "g"] }));
  assert.equal(more, `${text}, not taken: a, b, c, d, e and 2 more`);
});

test("eight groups are shuffled among themselves, then the next eight, every row once", () => {
  const set = setOf("there", 100); // 40 groups
  const order = [...set.shuffled(new Rng(3))];
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  const groups = order.map((i) => set.rows.group[i]);
  const seen: Set<number>[] = [];
  for (let at = 0; at < order.length; ) {
    const some = new Set<number>();
    const sizeOf = (group: number) => (group % 2 === 0 ? 2 : 3);
    const before = at;
    for (; at < order.length && (some.has(groups[at]) || some.size < 8); at++) some.add(groups[at]);
    assert.equal(
      at - before,
      [...some].reduce((sum, group) => sum + sizeOf(group), 0),
      "all rows of eight groups",
    );
    seen.push(some);
  }
  assert.deepEqual(
    seen.map((some) => some.size),
    [8, 8, 8, 8, 8],
  );
  const changes = groups.filter((group, i) => i > 0 && group !== groups[i - 1]).length;
  assert.ok(changes > 70, `${changes} changes of group: rows are mixed`);
  assert.notDeepEqual([...seen[0]].sort(), [0, 1, 2, 3, 4, 5, 6, 7], "groups are drawn");
});

test("a Parquet footer that is longer than what is read first is read whole", async () => {
  const whole = readFileSync(join(fixtures, "codecs", "none.parquet"));
  const length = whole.readUInt32LE(whole.length - 8);
  const footer = whole.subarray(whole.length - 8 - length, whole.length - 8);
  // Field 100 of its struct: 70,000 bytes that no reader knows, before the mark of the struct's end.
  const field = Buffer.concat([Buffer.of(0x08, 0xc8, 0x01, 0xf0, 0xa2, 0x04), Buffer.alloc(70_000, 1)]);
  const longer = Buffer.concat([footer.subarray(0, -1), field, Buffer.of(0)]);
  const end = Buffer.alloc(4);
  end.writeUInt32LE(longer.length);
  const path = join(temporaryFolder(), "long.parquet");
  writeFileSync(path, Buffer.concat([whole.subarray(0, -8 - length), longer, end, Buffer.from("PAR1")]));
  const [set, plain] = [
    await huggingFace(path, small),
    await huggingFace(join(fixtures, "codecs", "none.parquet"), small),
  ];
  assert.deepEqual([set.length, set.classes], [plain.length, plain.classes]);
  const load = async (one: typeof set) => (await one.load(4, new Rng(0))).image;
  assert.deepEqual(await load(set), await load(plain));
});
