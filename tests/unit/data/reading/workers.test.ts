import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { after, describe, it } from "node:test";
import type { Worker } from "node:worker_threads";
import sharp from "sharp";
import { LuvitError } from "../../../../src/core/errors";
import { Rng } from "../../../../src/core/rng";
import { imageFolder } from "../../../../src/data/imageFolder";
import type { ImageTransform } from "../../../../src/data/imageTransform";
import { type Batch, type BatchOptions, batches } from "../../../../src/data/loader";
import { readingInto } from "../../../../src/data/reading/imageReader";
import { ReadingPool } from "../../../../src/data/reading/pool";
import * as transforms from "../../../../src/data/transforms";
import { paintedImage, put, shapesFolder, temporaryFolder } from "../support";

const validation = join(shapesFolder, "val");
const setOf = async (transform: ImageTransform = transforms.mae(32), cache?: number | false) =>
  (await imageFolder(validation, { transform, cache })).take(24);

async function collect(
  dataset: Parameters<typeof batches>[0],
  options: Partial<BatchOptions>,
): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches(dataset, { batchSize: 6, ...options })) all.push(batch);
  return all;
}

function pool(size: number): ReadingPool {
  const made = new ReadingPool(size);
  after(() => made.close());
  return made;
}

const workerOf = (reader: ReadingPool): Worker => Reflect.get(Reflect.get(reader, "threads")[0], "worker");

describe("reading threads", () => {
  // Threads that have nothing to do hold no process open, also while a test waits for the end of one.
  const open = setInterval(() => {}, 1000);
  after(() => clearInterval(open));

  it("give the same batches to the last bit, from any start, whatever their number", async () => {
    for (const transform of [
      transforms.mae(32),
      transforms.finetune(32),
      transforms.evaluation(24, { cropRatio: 0.8 }),
    ]) {
      const options = { seed: 5, epoch: 3 };
      const here = await collect(await setOf(transform), { ...options, workers: 0 });
      for (const workers of [1, 2]) {
        assert.deepEqual(await collect(await setOf(transform), { ...options, workers }), here);
        const resumed = await collect(await setOf(transform), { ...options, workers, start: 2 });
        assert.deepEqual(resumed, here.slice(2));
      }
    }
  });

  it("give the same batches without a cache, and from one that threads or the caller filled", async () => {
    const here = await collect(await setOf(), { workers: 0 });
    assert.deepEqual(await collect(await setOf(undefined, false), { workers: 2 }), here);
    const set = await setOf();
    for (const workers of [2, 2, 0, 1]) assert.deepEqual(await collect(set, { workers }), here);
    assert.equal(set.cache.bytes, 24 * 64 * 64 * 3);
  });

  it("keep results of different sizes apart while their memory changes", async () => {
    const sides = [16, 48, 32, 96, 24];
    const sets = await Promise.all(sides.map((side) => setOf(transforms.mae(side), false)));
    const read = (workers: number) => Promise.all(sets.map((set) => collect(set, { workers })));
    assert.deepEqual(await read(1), await read(0));
  });

  it("write to where batches lie, which nobody else gets while they may write", async () => {
    const transform = transforms.finetune(32);
    const expected = await collect(await setOf(transform, false), { workers: 0 });
    const set = await setOf(transform, false);
    for (let i = 0; i < 5; i++) {
      for await (const { images } of batches(set, { batchSize: 6, epoch: i, workers: 2, reuse: 1 })) {
        assert.ok(images.buffer instanceof SharedArrayBuffer);
        break; // the others are being read
      }
      let number = 0;
      for await (const batch of batches(set, { batchSize: 6, workers: 2, reuse: 1 }))
        assert.deepEqual(batch, expected[number++]);
      assert.equal(number, expected.length);
    }
  });

  it("read images that need more room than a thread has to itself", async () => {
    const root = temporaryFolder();
    const [width, height] = [6000, 4400];
    const background = { r: 200, g: 30, b: 90 };
    const large = await sharp({ create: { width, height, channels: 3, background } })
      .jpeg()
      .toBuffer();
    for (const name of ["a", "b"]) await put(root, `images/${name}.jpg`, large);
    const set = await imageFolder(root, { transform: transforms.evaluation(32), cache: false });
    const [batch] = await collect(set, { batchSize: 2, workers: 1, reuse: 1 });
    const [here] = await collect(set, { batchSize: 2, workers: 0 });
    assert.deepEqual(batch, here);
  });

  it("name unreadable images as before", async () => {
    const root = temporaryFolder();
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (const i of [0, 1, 2, 3, 4, 5]) await put(root, `a/${i}.png`, i % 2 ? png : png.subarray(0, 60));
    const read = async (workers: number) => {
      const set = await imageFolder(root, { transform: transforms.mae(8) });
      const found = await collect(set, { batchSize: 3, workers });
      return { found, skipped: set.report.skipped.sort((x, y) => (x.path < y.path ? -1 : 1)) };
    };
    const here = await read(0);
    assert.equal(here.skipped.length, 3);
    assert.deepEqual(await read(2), here);
  });

  it("pass errors on with code and message", async () => {
    const problemOf = async (workers: number) => {
      const one = { batchSize: 1, prefetch: 0, workers };
      const error = await collect(await setOf(transforms.none(48)), one).catch((problem) => problem);
      assert.ok(error instanceof LuvitError);
      return [error.code, error.message];
    };
    const here = await problemOf(0);
    assert.match(here[1], /64 x 64 pixels where 48 x 48/);
    assert.deepEqual(await problemOf(1), here);
  });

  it("leave transforms of other makers, copies of ours among them, to the calling thread", async () => {
    let calls = 0;
    const ours = transforms.mae(32);
    const counting: ImageTransform = {
      ...ours,
      apply(image, rng) {
        calls++;
        return ours.apply(image, rng);
      },
    };
    const found = await collect(await setOf(counting), { workers: 2 });
    assert.equal(calls, 24);
    assert.deepEqual(found, await collect(await setOf(ours), { workers: 2 }));
  });

  it("refuse a number of threads that is none", async () => {
    const set = await setOf();
    assert.throws(() => batches(set, { batchSize: 4, workers: 1.5 }), /workers: .*got 1.5/);
  });

  it("are replaced when they end, with a warning, and their images read again", async () => {
    const set = await setOf();
    const reader = pool(1);
    const load = (index: number) => set.load(index, new Rng(1).fork(index), reader);
    const expected = await Promise.all([0, 1, 2].map((index) => set.load(index, new Rng(1).fork(index))));
    await load(5);
    const warning = once(process, "warning");
    const loads = Promise.all([0, 1, 2].map(load));
    await workerOf(reader).terminate();
    assert.deepEqual(await loads, expected);
    assert.match(String((await warning)[0]), /a reading thread ended \(exit code 1\); another one reads/);
  });

  it("give up an image over which they end again and again", async () => {
    const set = await setOf();
    const reader = pool(1);
    const lost = assert.rejects(set.load(0, new Rng(1), reader), {
      code: "bad-dataset",
      message: /2 reading threads ended over it/,
    });
    for (let i = 0; i < 2; i++) await workerOf(reader).terminate();
    await lost;
  });

  it("are given a few images at a time, and forget those that nobody wants any more", async () => {
    const set = await setOf();
    const reader = pool(1);
    const stop = new AbortController();
    const place = () => new Float32Array(3 * 32 * 32);
    const loads = Array.from({ length: 24 }, (_, i) =>
      set.load(i, new Rng(1), readingInto(reader, place(), stop.signal)),
    );
    const inThread = Reflect.get(reader, "threads")[0].load;
    assert.ok(inThread > 0 && inThread < 12, `${inThread} images given`);
    stop.abort();
    const ends = await Promise.allSettled(loads);
    const forgotten = ends.filter((end) => end.status === "rejected");
    assert.equal(forgotten.length, 24 - inThread);
    assert.ok(forgotten.every((end) => end.status === "rejected" && end.reason.name === "AbortError"));
    assert.equal(set.report.count, 0);
    assert.deepEqual(await collect(set, { workers: 1 }), await collect(set, { workers: 0 }));
  });

  it("read photographs as the calling thread does", async () => {
    const root = temporaryFolder();
    const { data, width, height } = paintedImage(300, 200, (x, y) => [x & 255, (x * y) & 255, y & 255]);
    for (const [i, chromaSubsampling] of ["4:2:0", "4:4:4"].entries()) {
      const image = sharp(data, { raw: { width, height, channels: 3 } });
      await put(root, `a/${i}.jpg`, await image.jpeg({ chromaSubsampling }).toBuffer());
      const turned = image.clone().withMetadata({ orientation: 6 });
      await put(root, `a/${i}-turned.jpg`, await turned.jpeg().toBuffer());
    }
    for (const transform of [transforms.mae(64), transforms.finetune(64), transforms.evaluation(64)]) {
      for (const exif of ["honor", "ignore"] as const) {
        const batch = async (workers: number) => {
          const set = await imageFolder(root, { transform, exif, cache: false });
          return collect(set, { batchSize: 4, workers });
        };
        assert.deepEqual(await batch(1), await batch(0));
      }
    }
  });

  it("end with the process, which stays for what is awaited and for nothing else", async () => {
    const script = (body: string) => `
      const { batches, imageFolder, transforms } = require(${JSON.stringify(join(__dirname, "..", "..", "..", "..", "src", "data"))});
      (async () => {
        const set = await imageFolder(${JSON.stringify(validation)}, { transform: transforms.mae(32) });
        let count = 0;
        for await (const _ of batches(set, { batchSize: 8, workers: 2 })) { count++; ${body} }
        console.log("batches", count);
      })();`;
    const run = async (body: string) => {
      const child = spawn(process.execPath, ["-e", script(body)], { stdio: ["ignore", "pipe", "inherit"] });
      const lines: Buffer[] = [];
      child.stdout.on("data", (data) => lines.push(data));
      const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000);
      const [code] = await once(child, "close");
      clearTimeout(deadline);
      return [code, Buffer.concat(lines).toString().trim()];
    };
    assert.deepEqual(await run("break;"), [0, "batches 1"]);
    const length = (await imageFolder(validation)).length;
    assert.deepEqual(await run(""), [0, `batches ${Math.floor(length / 8)}`]);
  });

  it("keep decoded images in the caller's cache, which needs no file any more", async () => {
    const root = temporaryFolder();
    const { data, width, height } = paintedImage(40, 30, (x, y) => [x, y, x + y]);
    const png = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const file = await put(root, "a/0.png", png);
    const set = await imageFolder(root, { transform: transforms.mae(16) });
    const first = await collect(set, { batchSize: 1, workers: 1 });
    await rm(file);
    assert.deepEqual(await collect(set, { batchSize: 1, workers: 1 }), first);
    assert.deepEqual(await collect(set, { batchSize: 1, workers: 0 }), first);
  });

  it("leave the event loop free while photographs are read", async () => {
    const root = temporaryFolder();
    const { data, width, height } = paintedImage(1000, 800, (x, y) => [x & 255, (x * y) & 255, y & 255]);
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer();
    for (let i = 0; i < 32; i++) await put(root, `a/${i}.jpg`, jpeg);
    const set = await imageFolder(root, { transform: transforms.mae(224) });
    for (const workers of [1, 0]) {
      await collect(set, { batchSize: 4, workers });
      // What else runs on the machine can only add to a delay.
      let least = Number.POSITIVE_INFINITY;
      for (let attempt = 1; attempt <= 6 && least >= 50; attempt++) {
        const delay = monitorEventLoopDelay({ resolution: 5 });
        delay.enable();
        await collect(set, { batchSize: 16, workers, epoch: attempt });
        delay.disable();
        least = Math.min(least, delay.percentile(99) / 1e6);
      }
      assert.ok(least < 50, `${workers} workers: ${least} ms`);
    }
  });
});
