import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { PixelMemory, placedNumbers } from "../../../../src/data/pixels";
import { BatchMemory } from "../../../../src/data/reading/batchMemory";
import { decodeImage, maxImagePixels } from "../../../../src/data/reading/decode";
import { hereReader, type ImageReader, readingInto } from "../../../../src/data/reading/imageReader";
import { SLOTS } from "../../../../src/data/reading/messages";
import { PixelCache } from "../../../../src/data/reading/pixelCache";
import { defaultWorkers, ReadingPool } from "../../../../src/data/reading/pool";
import { ResultMemory } from "../../../../src/data/reading/resultMemory";
import * as transforms from "../../../../src/data/transforms";
import { flatPng, isLuvitError, paintedImage, put, temporaryFolder } from "../support";

/** A reader that has room for so many batches, and notes what it gave and what came back. */
function roomFor(batches: number) {
  const [given, back] = [[] as Float32Array[], [] as Float32Array[]];
  const reader: ImageReader = {
    read: () => Promise.reject(new Error("nothing is read")),
    take(length) {
      if (given.length === batches) return undefined;
      return given[given.push(new Float32Array(new SharedArrayBuffer(4 * length))) - 1];
    },
    giveBack: (numbers) => void back.push(numbers),
  };
  return { reader, given, back };
}

describe("memory of batches", () => {
  it("is new for every batch where none is used again", () => {
    const { reader, given } = roomFor(9);
    const memory = new BatchMemory(reader, 12, Number.POSITIVE_INFINITY, false);
    const [one, two] = [memory.take(12), memory.take(5)];
    assert.ok(one instanceof Float32Array && two.length === 5 && one.buffer !== two.buffer);
    memory.handOut(one);
    memory.takeBack();
    assert.notEqual(memory.take(12).buffer, one.buffer);
    assert.equal(given.length, 0);
    const bytes = new BatchMemory(reader, 12, Number.POSITIVE_INFINITY, true).take(7);
    assert.ok(bytes instanceof Uint8Array && bytes.length === 7);
  });

  for (const isBytes of [false, true])
    it(`of ${isBytes ? "bytes" : "numbers"} is the reader's, used again once as many newer ones are out as asked for`, async () => {
      const { reader, given, back } = roomFor(2);
      const memory = new BatchMemory(reader, 10, 2, isBytes);
      const first = memory.take(10);
      assert.equal(first instanceof Uint8Array, isBytes);
      assert.equal(given[0].length, isBytes ? 3 : 10, "in units of four bytes");
      assert.deepEqual([first.length, first.buffer], [10, given[0].buffer]);
      memory.handOut(first);
      memory.takeBack();
      const second = memory.take(6); // the last batch is shorter
      assert.deepEqual([second.length, second.buffer], [6, given[1].buffer]);
      memory.handOut(second);
      memory.takeBack();
      const third = memory.take(10);
      assert.deepEqual([third.length, third.buffer], [10, first.buffer], "the oldest comes first");
      memory.handOut(third);
      memory.takeBack();
      const fourth = memory.take(10);
      assert.deepEqual([fourth.length, fourth.buffer], [10, second.buffer], "with all of its room again");
      const own = memory.take(10);
      assert.equal(own.length, 10);
      assert.ok(!given.some(({ buffer }) => buffer === own.buffer), "the reader has no more");
      await memory.close();
      assert.deepEqual(back, given);
    });

  it("goes back only when nothing writes to it any more, whether reads end well or not", async () => {
    const { reader, given, back } = roomFor(1);
    const memory = new BatchMemory(reader, 4, 1, false);
    memory.take(4);
    const ends: (() => void)[] = [];
    memory.writtenBy([
      new Promise<void>((resolve) => ends.push(resolve)),
      new Promise<void>((_, reject) => ends.push(() => reject(new Error("unreadable")))),
    ]);
    const closed = memory.close().then(() => ends.push(() => {}));
    ends[1]();
    await new Promise(setImmediate);
    assert.deepEqual(back, []);
    ends[0]();
    await closed;
    assert.deepEqual(back, given);
  });
});

describe("decoded images in memory", () => {
  const image = (bytes: number) => ({ data: new Uint8Array(bytes), width: 1, height: bytes / 3 });

  it("are kept while they fit the budget to the byte, each once, and none is put out again", () => {
    const cache = new PixelCache(12);
    assert.deepEqual([cache.hasRoom, cache.bytes, cache.peek("a")], [true, 0, undefined]);
    const first = image(6);
    cache.put("a", first);
    cache.put("a", image(6));
    assert.deepEqual([cache.bytes, cache.peek("a") === first], [6, true]);
    cache.put("b", image(6));
    assert.deepEqual([cache.bytes, cache.hasRoom], [12, true]);
    cache.put("c", image(3));
    assert.deepEqual([cache.bytes, cache.hasRoom, cache.peek("c")], [12, false, undefined]);
    assert.equal(cache.peek("a"), first);
    assert.equal(new PixelCache(0).hasRoom, false);
    const half = new PixelCache(10);
    half.put("large", image(12));
    half.put("small", image(9));
    assert.deepEqual([half.hasRoom, half.bytes], [false, 9], "a smaller one may still fit");
  });

  it("are of a file, or of what is stored under its name, decoded as asked for and only once", async () => {
    const path = await put(temporaryFolder(), "a.png", await flatPng(2, 2, [1, 2, 3]));
    const cache = new PixelCache(1000, { maxPixels: 5 });
    const first = await cache.get(path);
    assert.equal(await cache.get(path), first);
    let asked = 0;
    const stored = async () => {
      asked++;
      return flatPng(1, 2, [9, 8, 7]);
    };
    assert.equal(await cache.get(path, stored), first);
    assert.deepEqual([...(await cache.get("row 3", stored)).data], [9, 8, 7, 9, 8, 7]);
    await cache.get("row 3", stored);
    assert.equal(asked, 1);
    assert.deepEqual([...(await cache.get("row 4", async () => path)).data.subarray(0, 3)], [1, 2, 3]);
    await assert.rejects(
      cache.get("row 5", () => flatPng(2, 3, [0, 0, 0])),
      isLuvitError("bad-image", "row 5: cannot be decoded", "limit of 5"),
    );
  });
});

describe("results of a thread", () => {
  it("have a slot each, moved only for larger ones, and their memory is told once", () => {
    const results = new ResultMemory();
    const places = Array.from({ length: SLOTS }, (_, slot) => results.place(slot, 10, false));
    assert.deepEqual(
      places.map(({ address }) => address),
      Array.from({ length: SLOTS }, (_, slot) => 40 * slot),
    );
    for (const [slot, place] of places.entries()) (placedNumbers(place) as Float32Array).fill(slot + 1);
    places[0].memory.perform((memory) => memory.bytes(memory.take(1000), 1000).fill(255));
    for (const [slot, place] of places.entries())
      assert.deepEqual(
        [...placedNumbers(place)],
        Array(10).fill(slot + 1),
        "what works behind them leaves them",
      );
    const smaller = results.place(3, 4, true);
    assert.deepEqual([smaller.address, smaller.memory, smaller.length], [120, places[0].memory, 4]);
    assert.ok(placedNumbers(smaller) instanceof Uint8Array);
    assert.equal(results.news(places[0]), places[0].memory.buffer);
    assert.equal(results.news(smaller), undefined);
    const larger = results.place(1, 11, false);
    assert.notEqual(larger.memory, places[0].memory);
    assert.equal(larger.address, 44);
    assert.equal(results.news(larger), larger.memory.buffer);
    assert.deepEqual([...placedNumbers(places[5])], Array(10).fill(6), "those that wait stay readable");
    assert.ok(larger.memory instanceof PixelMemory);
  });
});

describe("reading in the calling thread", () => {
  const pixels = paintedImage(8, 8, (x, y) => [30 * x, 30 * y, 100]);
  const cached = () => {
    const cache = new PixelCache(1e6);
    cache.put("image", pixels);
    return cache;
  };

  it("gives what the transform makes, where it is wanted, from the stream that is given", async () => {
    const job = { path: "image", cache: cached() };
    for (const transform of [transforms.mae(8), transforms.evaluation(8)]) {
      const expected = transform.apply(pixels, new Rng(3));
      assert.deepEqual(await hereReader.read({ ...job, transform, rng: new Rng(3) }), expected);
      const into = new Float32Array(expected.length);
      assert.equal(await hereReader.read({ ...job, transform, rng: new Rng(3), into }), into);
      assert.deepEqual(into, expected);
      const bytes = new Uint8Array(expected.length);
      const found: unknown = await hereReader.read({ ...job, transform, rng: new Rng(3), into: bytes });
      assert.equal(found, bytes);
      assert.ok(bytes.some((byte) => byte > 0));
    }
  });

  it("ends by the reason of its signal, before the image is read and behind it", async () => {
    const reason = new Error("nobody waits");
    const transform = transforms.evaluation(8);
    const job = { path: "image", cache: cached(), transform, rng: new Rng(0) };
    await assert.rejects(hereReader.read({ ...job, signal: AbortSignal.abort(reason) }), reason);
    let reads = 0;
    const stored = async () => {
      reads++;
      return flatPng(8, 8, [1, 2, 3]);
    };
    const other = { ...job, path: "other", stored };
    await assert.rejects(hereReader.read({ ...other, signal: AbortSignal.abort(reason) }), reason);
    assert.equal(reads, 0);
    const stop = new AbortController();
    const reading = hereReader.read({ ...other, signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(reading, reason);
    assert.equal(reads, 1);
    const into = new Float32Array(192);
    const seen: unknown[] = [];
    const noting: ImageReader = {
      read: async (one) => {
        seen.push(one.into, one.signal, one.path);
        return into;
      },
    };
    await readingInto(noting, into, stop.signal).read(job);
    assert.deepEqual(seen, [into, stop.signal, "image"]);
  });

  it("names the image whose transform fails", async () => {
    const job = { path: "image", cache: cached(), rng: new Rng(0) };
    for (const into of [undefined, new Uint8Array(3 * 81)])
      await assert.rejects(
        hereReader.read({ ...job, transform: transforms.none(9), into }),
        isLuvitError("bad-argument", "image: image of 8 x 8 pixels"),
      );
  });
});

describe("threads that read", () => {
  it("are half of the cores, one to four, where samples are not small", () => {
    assert.deepEqual([1, 64, 96].map(defaultWorkers), [0, 0, 0]);
    const expected = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
    assert.deepEqual([97, 224, 1024].map(defaultWorkers), [expected, expected, expected]);
  });

  it("end when nobody has asked for half a minute, and others are started for the next image", async (t) => {
    const path = await put(temporaryFolder(), "a.png", await flatPng(8, 8, [9, 9, 9]));
    const pool = new ReadingPool(1);
    const open = setInterval(() => {}, 1000);
    t.after(async () => {
      clearInterval(open);
      await pool.close();
    });
    const cache = new PixelCache(0);
    const read = () => pool.read({ path, cache, transform: transforms.none(8), rng: new Rng(0) });
    const threads = (): unknown[] => Reflect.get(pool, "threads");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const first = await read();
    assert.equal(threads().length, 1);
    t.mock.timers.tick(29_999);
    const [thread] = threads();
    await read();
    t.mock.timers.tick(29_999);
    assert.deepEqual(threads(), [thread], "counted from the last image");
    t.mock.timers.tick(1);
    assert.deepEqual(threads(), []);
    assert.deepEqual(await read(), first);
    assert.equal(threads().length, 1);
  });

  it("have eight images at a time each, the least busy thread the next one", async (t) => {
    const path = await put(temporaryFolder(), "a.png", await flatPng(8, 8, [9, 9, 9]));
    const pool = new ReadingPool(2);
    const open = setInterval(() => {}, 1000);
    t.after(async () => {
      clearInterval(open);
      await pool.close();
    });
    const loads = () => (Reflect.get(pool, "threads") as { load: number }[]).map(({ load }) => load);
    const job = { path, cache: new PixelCache(0), transform: transforms.none(8), rng: new Rng(0) };
    const reads = [pool.read(job)];
    assert.deepEqual(loads(), [1]);
    reads.push(pool.read(job), pool.read(job), pool.read(job));
    assert.deepEqual(loads(), [2, 2]);
    for (let i = 0; i < 20; i++) reads.push(pool.read(job));
    assert.deepEqual(loads(), [SLOTS, SLOTS]);
    assert.equal(SLOTS, 8);
    await Promise.all(reads);
    assert.deepEqual(loads(), [0, 0]);
  });
});

describe("errors of images", () => {
  it("have the name that is given, the reason on one line without the path, and their cause", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "none.png");
    const failure = (source: string | Uint8Array, name?: string) =>
      decodeImage(source, {}, name).then(
        () => assert.fail("expected an error"),
        (error: Error) => error,
      );
    const missing = await failure(path);
    assert.ok(missing.message.startsWith(`${path}: cannot be read (ENOENT: `), missing.message);
    assert.equal(missing.message.split(folder).length, 2, "the path stands there once");
    assert.ok(missing.message.endsWith("'none.png')"), missing.message);
    assert.equal((missing.cause as NodeJS.ErrnoException).code, "ENOENT");
    assert.ok((await failure(path, "row 7")).message.startsWith("row 7: cannot be read ("));
    const text = Buffer.from("not an image");
    assert.ok((await failure(text)).message.startsWith("12 bytes in memory: cannot be decoded (it is text"));
    assert.ok((await failure(text, "x\ny")).message.startsWith("x\\ny: cannot be decoded ("));
    const png = await flatPng(40, 40, [1, 2, 3]);
    const cut = await failure(png.subarray(0, png.length - 30));
    assert.ok(!cut.message.includes("\n"), cut.message);
    assert.ok(cut.cause instanceof Error);
    assert.equal(maxImagePixels, Math.floor(1024 ** 3 / 4 / 3 / 0.5), "Pillow's: 2 x 1 GiB / 4 / 3");
  });
});
