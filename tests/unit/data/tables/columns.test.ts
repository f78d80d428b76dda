import assert from "node:assert/strict";
import { copyFileSync, existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { unnormalize } from "../../../../src/data/pixels/normalize";
import { huggingFace } from "../../../../src/data/sets";
import { expectRowCount, groupAt } from "../../../../src/data/tables/imageTable";
import { expectPages } from "../../../../src/data/tables/parquetPages";
import { temporaryFolder } from "../support";
import { small } from "./support";

const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");

/** Row k was painted (k, 2k, 255 - k) and is of class k % 3. */
async function expectRows(path: string, classes = ["cat", "dog", "owl"]): Promise<void> {
  const set = await huggingFace(path, small);
  assert.deepEqual([set.length, set.classes], [6, classes], path);
  for (let row = 0; row < 6; row++) {
    const { image, label } = await set.load(row, new Rng(0));
    assert.deepEqual([...unnormalize(image, 4, 4).data.subarray(0, 3)], [row, 2 * row, 255 - row], path);
    assert.equal(label, row % 3, path);
  }
  assert.equal(set.report.count, 0);
}

describe("columns of a table", () => {
  it("without any value are read as pyarrow reads them, in every compression", async () => {
    for (const codec of ["snappy", "gzip", "brotli", "zstd", "lz4", "lz4-pages2"]) {
      await expectRows(join(fixtures, "nullpath", `${codec}.parquet`));
    }
  });

  it("may be of any type where nobody asks for them", async () => {
    await expectRows(join(fixtures, "views", "others.arrow"), ["0", "1", "2"]);
  });

  it("may be views of bytes and texts, short ones and long ones", async () => {
    await expectRows(join(fixtures, "views", "viewed.arrow"), [
      "cat",
      "dog",
      "owl in more than twelve bytes",
    ]);
  });

  it("of views that ask for a buffer that is not there are refused by row", async () => {
    const bytes = readFileSync(join(fixtures, "views", "dictionaries.arrow"));
    const at = bytes.indexOf(Buffer.from("\x1d\0\0\0owl ", "latin1"));
    for (const index of [-1, 7]) {
      bytes.writeInt32LE(index, at + 8);
      const path = join(temporaryFolder(), "damaged.arrow");
      writeFileSync(path, bytes);
      const problem = new RegExp(`row \\d of a batch asks for data buffer ${index} of \\d`);
      await assert.rejects(expectRows(path), { code: "bad-file", message: problem });
    }
  });

  it("may be dictionaries whose values have buffers of their own", async () => {
    await expectRows(join(fixtures, "views", "dictionaries.arrow"), [
      "cat",
      "dog",
      "owl in more than twelve bytes",
    ]);
  });

  it("are named where they are asked for and cannot be classes", async () => {
    const others = join(fixtures, "views", "others.arrow");
    await assert.rejects(
      huggingFace(others, { label: "sparse" }),
      /column sparse: labels are of Arrow's type union/,
    );
    await assert.rejects(huggingFace(others, { image: "map" }), /column map holds no bytes \(type map\)/);
  });
});

describe("a table file", () => {
  it("is opened once however many groups it has", async (t) => {
    const open = t.mock.method(files, "open");
    for (const path of ["labels/bytes.arrow", "kinds/text.arrow", "codecs/none.parquet"]) {
      const before = open.mock.callCount();
      await huggingFace(join(fixtures, path), small);
      assert.equal(open.mock.callCount() - before, 1, path);
    }
  });

  it("is open no longer than it is read", { skip: !existsSync("/proc/self/fd") }, async () => {
    const open = () =>
      readdirSync("/proc/self/fd").filter((name) => {
        try {
          return /\.(?:arrow|parquet)$/.test(readlinkSync(`/proc/self/fd/${name}`));
        } catch {
          return false; // the one of this very list
        }
      });
    for (const path of [
      "labels/bytes.arrow",
      "kinds/text.arrow",
      "codecs/none.parquet",
      "codecs/zstd.parquet",
    ]) {
      await expectRows(join(fixtures, path), undefined).catch(() => {});
      assert.deepEqual(open(), [], path);
      await assert.rejects(huggingFace(join(fixtures, path), { ...small, label: "none" }));
      assert.deepEqual(open(), [], path);
    }
  });

  it("is told by its first bytes and not by its name", async () => {
    const folder = temporaryFolder();
    const parquet = join(folder, "x.arrow");
    const arrow = join(folder, "x.parquet");
    copyFileSync(join(fixtures, "nullpath", "lz4.parquet"), parquet);
    copyFileSync(join(fixtures, "views", "others.arrow"), arrow);
    await expectRows(parquet);
    await expectRows(arrow, ["0", "1", "2"]);
  });

  it("that is a Git LFS pointer is called one", async () => {
    for (const name of ["train.parquet", "train.arrow"]) {
      const folder = temporaryFolder();
      const hash = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${hash}\nsize 12345\n`;
      writeFileSync(join(folder, name), pointer);
      await assert.rejects(huggingFace(folder, small), {
        code: "bad-file",
        message: /train\.\w+: a Git LFS pointer.*12345 bytes.*git lfs pull/,
      });
    }
  });

  it("with more rows than its bytes justify is refused", () => {
    expectRowCount("x", 2 ** 20, 1000);
    assert.throws(
      () => expectRowCount("x", 6_000_000, 30_000_000),
      /x: 6000000 rows in a file of 30000000 bytes/,
    );
  });

  it("finds the group of a row, also behind groups without rows", () => {
    const starts = [0, 0, 5, 5, 9];
    assert.deepEqual(
      [0, 4, 5, 8, 9, 30].map((row) => groupAt(starts, row)),
      [1, 1, 3, 3, 4, 4],
    );
  });

  it("with labels that unpack to more than a limit is refused before they are unpacked", () => {
    // A page header: type 0, 1000 bytes from 20, one value in plain encoding.
    const header = [0x15, 0, 0x15, 0xd0, 0x0f, 0x15, 40, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
    const chunk = Uint8Array.from([...header, ...Array(20).fill(0)]);
    expectPages(chunk, 1, "x", 1000);
    assert.throws(() => expectPages(chunk, 1, "x", 999), { code: "bad-dataset" });
  });
});
