import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { batches } from "../../../../src/data/loader";
import { unnormalize } from "../../../../src/data/pixels/normalize";
import { type HuggingFaceOptions, huggingFace } from "../../../../src/data/sets";
import * as transforms from "../../../../src/data/transforms";
import { temporaryFolder } from "../support";

const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");
const small = { transform: transforms.none(4), cache: false } as const;
const names = ["cat", "dog", "owl"];

function open(path: string, options: HuggingFaceOptions = {}) {
  return huggingFace(join(fixtures, path), { ...small, ...options });
}

/** Row k was painted (k, 2k, 255 - k). */
async function rowOf(set: Awaited<ReturnType<typeof huggingFace>>, index: number): Promise<number> {
  const { image } = await set.load(index, new Rng(0));
  const [red, green, blue] = unnormalize(image, 4, 4).data;
  assert.deepEqual([green, blue], [2 * red, 255 - red]);
  return red;
}

async function expectRows(path: string, count: number, options: HuggingFaceOptions = {}): Promise<void> {
  const set = await open(path, options);
  assert.equal(set.length, count, path);
  assert.deepEqual(set.classes, names);
  for (let i = 0; i < count; i++) assert.deepEqual([await rowOf(set, i), set.label(i)], [i, i % 3], path);
}

function copyOf(path: string): string {
  const folder = temporaryFolder();
  cpSync(join(fixtures, path), folder, { recursive: true });
  return folder;
}

describe("huggingFace", () => {
  it("reads the shards of a hub repository in order, split by split", async () => {
    await expectRows("hub", 16);
    const test = await open("hub", { split: "test" });
    assert.deepEqual([test.length, await rowOf(test, 2), test.label(0)], [3, 18, 1]);
  });

  it("reads what save_to_disk wrote and what load_dataset keeps", async () => {
    await expectRows("saved", 16);
    await expectRows("saved/train", 16);
    await expectRows("cache", 6);
  });

  it("reads every compression, dictionaries or none, both page versions", async () => {
    for (const codec of ["none", "snappy", "gzip", "brotli", "zstd", "lz4", "plain", "pages2"]) {
      await expectRows(`codecs/${codec}.parquet`, 6);
    }
  });

  it("reads Arrow files, plain binary columns and labels in words", async () => {
    await expectRows("kinds/file.arrow", 6);
    await expectRows("kinds/binary.arrow", 6);
    await expectRows("kinds/text.arrow", 6);
  });

  it("reads compressed Arrow, and labels through dictionaries that are replaced or grow", async () => {
    for (const codec of ["lz4", "zstd"]) {
      await expectRows(`packed/${codec}.arrow`, 6);
      const set = await open(`packed/${codec}-gaps.arrow`);
      for (const row of [1, 2]) await set.load(row, new Rng(0));
      assert.match(String(set.report), /2 unreadable images/);
    }
    for (const name of ["replaced", "growing", "file"]) await expectRows(`packed/${name}.arrow`, 6);
    const numbers = await open("packed/numbers.arrow");
    assert.deepEqual(numbers.classes, ["0", "1", "2"]);
    assert.deepEqual(
      Array.from({ length: 6 }, (_, i) => numbers.label(i)),
      [0, 1, 2, 0, 1, 2],
    );
  });

  it("reads a compressed batch once for all of its images", async () => {
    const set = await open("packed/zstd.arrow");
    for (let i = 0; i < 4; i++) await set.load(i, new Rng(0));
    const held = set.recent.bytes;
    assert.ok(held > 200 && held < 2000, `${held} bytes`);
    for (let i = 0; i < 4; i++) await set.load(i, new Rng(0));
    assert.equal(set.recent.bytes, held);
  });

  it("names images by file and row, and those that are missing or damaged", async () => {
    const set = await open("kinds/gaps.arrow");
    const sample = await set.load(1, new Rng(0));
    assert.deepEqual([sample.index, sample.label], [4, 1]);
    assert.match(sample.path, /gaps\.arrow#4$/);
    await set.load(2, new Rng(0));
    assert.match(String(set.report), /2 unreadable images[\s\S]*gaps\.arrow row 1: the table holds no image/);
  });

  it("asks for label: false where the labels are hidden", async () => {
    await assert.rejects(
      open("kinds/hidden.arrow"),
      /6 labels in column label are none of the 3 classes.*label: false/,
    );
    const set = await open("kinds/hidden.arrow", { label: false });
    assert.deepEqual([set.length, set.classes, set.label(3)], [6, ["image"], 0]);
  });

  it("gives the same batches in the calling thread and in others, and goes on where a run stopped", async () => {
    const set = await open("hub");
    const read = async (workers: number, start: number) => {
      const rows: number[][] = [];
      const plan = { batchSize: 3, seed: 7, epoch: 2, start, workers };
      for await (const batch of batches(set, plan)) {
        rows.push([...batch.indices]);
        assert.deepEqual(
          [...batch.labels],
          [...batch.indices].map((i) => i % 3),
        );
      }
      return rows;
    };
    const whole = await read(0, 0);
    assert.deepEqual(await read(2, 0), whole);
    assert.deepEqual(await read(0, 2), whole.slice(2));
    assert.equal(new Set(whole.flat()).size, 15);
  });

  it("shuffles through few groups at a time, from the seed alone", async () => {
    const set = await open("hub");
    const order = set.shuffled(new Rng(4));
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      [...Array(16).keys()],
    );
    assert.deepEqual(set.shuffled(new Rng(4)), order);
    assert.notDeepEqual(set.shuffled(new Rng(5)), order);
    const part = set.subset([15, 3, 4]);
    assert.deepEqual([...part.shuffled(new Rng(1))].sort(), [0, 1, 2]);
    assert.deepEqual([await rowOf(part, 0), part.label(1)], [15, 0]);
  });

  it("keeps row groups in memory only up to a budget", async () => {
    const set = await open("hub", { groupCache: 500 });
    for (const index of [0, 5, 9, 0, 12]) assert.equal(await rowOf(set, index), index);
    assert.ok(set.recent.bytes < 1000, `${set.recent.bytes} bytes`);
  });
});

describe("huggingFace explains", () => {
  it("which splits and columns there are", async () => {
    await assert.rejects(
      open("hub", { split: "validation" }),
      /looked for the split validation, found test \(1 file\), train \(2 files\)/,
    );
    await assert.rejects(open("saved", { split: "test" }), /looked for the split test, found train/);
    await assert.rejects(open("hub", { image: "img" }), /no column img; its columns are image, label/);
    await assert.rejects(open("cache", { label: "fine" }), /no column fine; its columns are image, label/);
    await assert.rejects(open("none"), /no such file or folder/);
    await assert.rejects(open("hub", { config: "de" }), /de: no such folder/);
  });

  it("which shards are missing", async () => {
    const hub = copyOf("hub");
    rmSync(join(hub, "data", "train-00000-of-00002.parquet"));
    await assert.rejects(huggingFace(hub, small), /train: found 1 of 2 shards in .*missing: 00000/);
    const saved = copyOf("saved");
    rmSync(join(saved, "train", "data-00001-of-00002.arrow"));
    await assert.rejects(
      huggingFace(saved, small),
      /names files that are missing:\n {2}data-00001-of-00002\.arrow/,
    );
  });

  it("that a file was copied in part, or is none", async () => {
    const hub = copyOf("hub");
    const parquet = join(hub, "data", "test-00000-of-00001.parquet");
    const whole = readFileSync(parquet);
    truncateSync(parquet, whole.length - 100);
    const test = { ...small, split: "test" };
    await assert.rejects(huggingFace(hub, test), /not a whole Parquet file .* at the end\); copy it again/);
    writeFileSync(parquet, "no table");
    await assert.rejects(huggingFace(hub, test), /8 bytes are no Parquet file/);
    const cache = copyOf("cache");
    const arrow = join(cache, "toy-train.arrow");
    truncateSync(arrow, 1500);
    await assert.rejects(
      huggingFace(cache, small),
      /cut off at 1500 bytes, a message at \d+ needs \d+; copy it again/,
    );
    writeFileSync(arrow, "this is no table of any kind");
    await assert.rejects(huggingFace(cache, small), /no Arrow stream or file/);
  });
});
