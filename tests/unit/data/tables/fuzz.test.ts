import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { LuvitError } from "../../../../src/core/errors";
import { decodeMaskIds } from "../../../../src/data/masks";
import { huggingFace } from "../../../../src/data/sets";
import { readMat } from "../../../../src/data/sets/matFile";
import * as transforms from "../../../../src/data/transforms";
import { seededRng } from "../../../support/seededRng";
import { bytesTaken, mutate, type Sample } from "../../io/mutations";
import { temporaryFolder } from "../support";

/** Damaged files per kind; LUVIT_FUZZ sets another number. */
const rounds = Number(process.env.LUVIT_FUZZ ?? 150);
const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");
/** Bytes taken per byte of file, and beside it. Images decoded by libvips are not counted. */
const mostTimes = 100;
const mostBeside = 2 ** 18;

/** Reads damaged files one after another: each is read or refused in this library's words, in memory that its length
 * justifies. Returns how many were refused. */
async function refused(
  sample: Sample,
  count: number,
  read: (mutant: Buffer) => Promise<unknown>,
  watch = memoryTaken,
): Promise<number> {
  const rng = seededRng(40);
  let failures = 0;
  for (let round = 0; round < count; round++) {
    const mutant = mutate(sample, [sample], rng.fork("mutant", round));
    const taken = await watch(async () => {
      try {
        await read(mutant);
      } catch (error) {
        assert.ok(error instanceof LuvitError, `round ${round}: ${(error as Error).stack}`);
        assert.ok(error.message.length > 20 && !/Cannot read|\[object/.test(error.message), error.message);
        failures++;
      }
    });
    const most = mostTimes * mutant.length + mostBeside;
    assert.ok(taken <= most, `round ${round}: ${taken} bytes taken for ${mutant.length}`);
  }
  return failures;
}

/** Bytes of typed arrays, and eight for each place in arrays made by a number. */
async function memoryTaken(work: () => Promise<unknown>): Promise<number> {
  const original = globalThis.Array;
  let places = 0;
  globalThis.Array = new Proxy(original, {
    construct(target, args, newTarget) {
      if (args.length === 1 && typeof args[0] === "number") places += args[0];
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    return (await bytesTaken(work)) + 8 * places;
  } finally {
    globalThis.Array = original;
  }
}

/** Opens a table and asks for every image in it, without decoding them: libvips does not know watched arrays. */
async function readAll(path: string): Promise<void> {
  const { shards } = await huggingFace(path, { transform: transforms.none(4), cache: false });
  for (const shard of shards) {
    for (let row = 0; row < shard.rows; row++) await shard.image(row);
  }
}

describe("damaged files are refused, not trusted", () => {
  for (const name of [
    "codecs/snappy.parquet",
    "codecs/zstd.parquet",
    "codecs/pages2.parquet",
    "codecs/none.parquet",
    "nullpath/lz4.parquet",
    "labels/fractions.parquet",
    "labels/booleans.parquet",
  ]) {
    it(`Parquet: ${name}`, async () => {
      const whole = readFileSync(join(fixtures, name));
      const footer = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
      const path = join(temporaryFolder(), "x.parquet");
      const sample: Sample = { bytes: whole, focus: [footer, whole.length] };
      const failures = await refused(sample, Math.ceil(rounds / 4), async (mutant) => {
        writeFileSync(path, mutant);
        await readAll(path);
      });
      assert.ok(failures > rounds / 16, `${failures} refused`);
    });
  }

  for (const name of [
    "cache/toy-train.arrow",
    "kinds/file.arrow",
    "packed/lz4-gaps.arrow",
    "packed/growing.arrow",
    "packed/zstd.arrow",
    "views/others.arrow",
    "views/viewed.arrow",
    "labels/booleans.arrow",
    "labels/halves.arrow",
  ]) {
    it(`Arrow: ${name}`, async () => {
      const whole = readFileSync(join(fixtures, name));
      const path = join(temporaryFolder(), "x.arrow");
      const sample: Sample = { bytes: whole, focus: [0, 1000] };
      const failures = await refused(sample, Math.ceil(rounds / 2), async (mutant) => {
        writeFileSync(path, mutant);
        await readAll(path);
      });
      assert.ok(failures > rounds / 16, `${failures} refused`);
    });
  }

  it("PNG masks", async () => {
    const pixels = Buffer.from(Uint8Array.from({ length: 24 * 18 * 3 }, (_, i) => (i * 37) % 5));
    const whole = await sharp(pixels, { raw: { width: 24, height: 18, channels: 3 } })
      .png()
      .toBuffer();
    const before = process.memoryUsage.rss();
    const unwatched = async (work: () => Promise<unknown>) => {
      await work();
      return 0;
    };
    const sample: Sample = { bytes: whole, focus: [0, 60] };
    const failures = await refused(sample, rounds, (mutant) => decodeMaskIds(mutant), unwatched);
    const grown = process.memoryUsage.rss() - before;
    assert.ok(grown < 200e6, `${grown} bytes left behind`);
    assert.ok(failures > rounds / 2, `${failures} refused`);
  });

  it("PNG masks that claim more pixels than their bytes can hold", async () => {
    const whole = await sharp({ create: { width: 8, height: 8, channels: 3, background: "black" } })
      .png()
      .toBuffer();
    whole.writeUInt32BE(20000, 16);
    whole.writeUInt32BE(13000, 20);
    await assert.rejects(decodeMaskIds(whole), /bytes cannot hold 20000 x 13000 pixels/);
    await assert.rejects(decodeMaskIds(Buffer.from("GIF89a and so on")), /expected a mask in PNG/);
  });

  it("MAT files", async () => {
    const whole = Buffer.alloc(256);
    whole.write("IM", 126);
    whole.writeUInt32LE(14, 128);
    whole.writeUInt32LE(64, 132);
    await refused({ bytes: whole, focus: [120, 200] }, rounds, async (mutant) => readMat("x.mat", mutant));
  });
});
