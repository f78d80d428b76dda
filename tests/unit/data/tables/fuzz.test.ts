import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { LuvitError } from "../../../../src/core/errors";
import { Rng } from "../../../../src/core/rng";
import { decodeMaskIds } from "../../../../src/data/masks";
import { huggingFace } from "../../../../src/data/sets";
import { readMat } from "../../../../src/data/sets/matFile";
import { asIs } from "../../../../src/data/transforms";
import { temporaryFolder } from "../support";

/** Damaged files per kind; LUVIT_FUZZ sets another number. */
const rounds = Number(process.env.LUVIT_FUZZ ?? 150);
const fixtures = join(__dirname, "..", "..", "..", "..", "..", "tests", "unit", "data", "tables", "fixtures");
/** What a reader may take beside a file of a few kilobytes; the run as a whole is held to it. */
const mostMemory = 256e6;

/** Changes some bytes: single bits, extreme bytes, numbers that mean large sizes, stretches cut out or repeated. */
function damaged(file: Buffer, rng: Rng, from = 0, to = file.length): Buffer {
  let bytes = Buffer.from(file);
  const changes = 1 + rng.integer(4);
  for (let i = 0; i < changes; i++) {
    const at = Math.min(bytes.length - 1, from + rng.integer(Math.max(1, to - from)));
    const kind = rng.integer(6);
    if (kind === 0) bytes[at] ^= 1 << rng.integer(8);
    else if (kind === 1) bytes[at] = [0, 1, 127, 128, 255][rng.integer(5)];
    else if (kind === 2) bytes.fill(255, at, Math.min(bytes.length, at + 1 + rng.integer(5)));
    else if (kind === 3) bytes.writeUInt32LE(rng.uint32(), Math.min(at, bytes.length - 4));
    else if (kind === 4)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + rng.integer(9))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 8))]);
    if (bytes.length < 8) return bytes;
  }
  return bytes;
}

/** Reads damaged files one after another: each is read or refused in this library's words. Returns how many were refused. */
async function refused(count: number, read: (round: number) => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let failures = 0;
  for (let round = 0; round < count; round++) {
    try {
      await read(round);
    } catch (error) {
      assert.ok(error instanceof LuvitError, `round ${round}: ${(error as Error).stack}`);
      assert.ok(error.message.length > 20 && !/Cannot read|\[object/.test(error.message), error.message);
      failures++;
    }
    const grown = process.memoryUsage.rss() - before;
    assert.ok(grown < mostMemory, `round ${round} left ${Math.round(grown / 1e6)} MB behind`);
  }
  return failures;
}

/** Opens a table and asks for every picture in it. */
async function readAll(path: string): Promise<void> {
  const set = await huggingFace(path, { transform: asIs(4), cache: false });
  for (let i = 0; i < Math.min(set.length, 20); i++) await set.load(i, new Rng(0));
}

describe("damaged files are refused, not trusted", () => {
  for (const name of [
    "codecs/snappy.parquet",
    "codecs/zstd.parquet",
    "codecs/pages2.parquet",
    "codecs/none.parquet",
  ]) {
    it(`Parquet: ${name}`, async () => {
      const whole = readFileSync(join(fixtures, name));
      const footer = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
      const path = join(temporaryFolder(), "x.parquet");
      const failures = await refused(Math.ceil(rounds / 4), async (round) => {
        const rng = new Rng(round).fork(name);
        const inFooter = rng.uniform() < 0.7;
        writeFileSync(path, inFooter ? damaged(whole, rng, footer) : damaged(whole, rng, 0, footer));
        await readAll(path);
      });
      assert.ok(failures > rounds / 16, `${failures} refused`);
    });
  }

  for (const name of ["cache/toy-train.arrow", "kinds/file.arrow"]) {
    it(`Arrow: ${name}`, async () => {
      const whole = readFileSync(join(fixtures, name));
      const path = join(temporaryFolder(), "x.arrow");
      const failures = await refused(Math.ceil(rounds / 2), async (round) => {
        writeFileSync(path, damaged(whole, new Rng(round).fork(name)));
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
    const failures = await refused(rounds, (round) =>
      decodeMaskIds(damaged(whole, new Rng(round).fork("png"))),
    );
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
    await refused(rounds, async (round) => readMat("x.mat", damaged(whole, new Rng(round).fork("mat"), 120)));
  });
});
