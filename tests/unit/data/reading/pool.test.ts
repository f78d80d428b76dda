import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import type { Worker } from "node:worker_threads";
import { Rng } from "../../../../src/core/rng";
import type { BuiltInTransform } from "../../../../src/data/imageTransform";
import { hereReader } from "../../../../src/data/reading/imageReader";
import { PixelCache } from "../../../../src/data/reading/pixelCache";
import { ReadingPool } from "../../../../src/data/reading/pool";
import type { ReadingThread } from "../../../../src/data/reading/readingThread";
import * as transforms from "../../../../src/data/transforms";
import { flatPng, paintedImage } from "../support";

const transform = transforms.none(8);

async function poolOf(size: number) {
  const pool = new ReadingPool(size);
  const open = setInterval(() => {}, 1000); // threads that have nothing to do hold no process open
  after(() => clearInterval(open));
  after(() => pool.close());
  const levels = await Promise.all([10, 90, 250].map((level) => flatPng(8, 8, [level, level, level])));
  const read = (level: number) =>
    pool.read({
      path: `${level}`,
      stored: async () => levels[level],
      cache: new PixelCache(0),
      transform,
      rng: new Rng(0),
    });
  const threads = (): ReadingThread[] => Reflect.get(pool, "threads");
  const numbers = () => threads().map(({ number }) => number);
  /** Ends a thread, as the system might. */
  const lose = async (number: number) => {
    const worker: Worker = Reflect.get(threads().find((thread) => thread.number === number)!, "worker");
    const warned = once(process, "warning");
    await worker.terminate();
    return String((await warned)[0]);
  };
  return { pool, read, numbers, threads, lose };
}

const first = (planes: Float32Array) => planes[0];

describe("a thread that is lost", () => {
  it("leaves its number, and so its own part of the memory, to the one that comes for it", async () => {
    const { read, numbers, threads, lose } = await poolOf(3);
    const expected = (await Promise.all([read(0), read(1), read(2)])).map(first);
    assert.equal(new Set(expected).size, 3);
    assert.deepEqual(numbers(), [0, 1, 2]);
    for (const number of [0, 1, 2]) {
      assert.match(
        await lose(number),
        /a reading thread ended \(exit code 1\); another one reads its 0 images/,
      );
      assert.equal(threads().length, 2);
      // As many as there are threads, so that each has one.
      const found = await Promise.all([read(2), read(0), read(1)]);
      assert.deepEqual(found.map(first), [expected[2], expected[0], expected[1]]);
      assert.deepEqual(numbers().sort(), [0, 1, 2], `behind number ${number}`);
    }
  });

  it("leaves the images that wait for a thread waiting, behind its own", { timeout: 60_000 }, async () => {
    const { read, lose } = await poolOf(1);
    const expected = (await Promise.all([read(0), read(1)])).map(first);
    const reads = Array.from({ length: 30 }, (_, i) => read(i % 2));
    assert.match(await lose(0), /another one reads its [1-8] images$/);
    assert.deepEqual(
      (await Promise.all(reads)).map(first),
      reads.map((_, i) => expected[i % 2]),
    );
  });

  it("leaves the images of others to these, and its own come once", async () => {
    const { pool, read, numbers, lose } = await poolOf(2);
    const expected = (await Promise.all([read(0), read(1)])).map(first);
    const reads = Array.from({ length: 12 }, (_, i) => read(i % 2));
    const said = await lose(numbers()[0]);
    const found = (await Promise.all(reads)).map(first);
    assert.deepEqual(
      found,
      reads.map((_, i) => expected[i % 2]),
    );
    assert.match(said, /another one reads its \d images$/);
    assert.deepEqual(numbers().sort(), [0, 1]);
    await pool.close();
    assert.deepEqual(numbers(), []);
    assert.deepEqual((await Promise.all([read(1), read(0)])).map(first), [expected[1], expected[0]]);
    assert.deepEqual(numbers(), [0, 1]);
  });
});

describe("one thread", () => {
  it("tells transforms apart by all that they are made from, in whatever order they are asked for", async () => {
    const { pool } = await poolOf(1);
    const image = paintedImage(24, 20, (x, y) => [10 * x, 12 * y, (7 * x * y) & 255]);
    const alike: BuiltInTransform[] = [
      ...[0.5, 1, 0.75].map((cropRatio) => transforms.evaluation(8, { cropRatio })),
      ...[1, 0].map((erasing) => transforms.finetune(8, { erasing, randAugment: null })),
      ...[2, 4].map((layers) =>
        transforms.finetune(8, { erasing: 0, randAugment: { layers, probability: 1 } }),
      ),
      ...(
        [
          [0.1, 0.2],
          [1.5, 2],
          [0.1, 2],
        ] as const
      ).map((scale) => transforms.largeScaleJitter(8, { scale })),
      transforms.fitSquare(8),
      transforms.mae(8),
      transforms.segment(8),
      transforms.mae(9),
    ];
    const cache = new PixelCache(1e6);
    cache.put("image", image);
    const job = (transform: BuiltInTransform) => ({ path: "image", cache, transform, rng: new Rng(4) });
    const seen = new Set<string>();
    for (const transform of [...alike, ...[...alike].reverse()]) {
      const expected = await hereReader.read(job(transform));
      assert.deepEqual(await pool.read(job(transform)), expected, JSON.stringify(transform.spec));
      seen.add(expected.join());
    }
    assert.equal(seen.size, alike.length, "no two make the same of the image");
  });
});
