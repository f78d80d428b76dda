import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import type { ImageTransform } from "../../../../src/data/imageTransform";
import { PixelMemory } from "../../../../src/data/pixels";
import { BatchMemory } from "../../../../src/data/reading/batchMemory";
import { CommonMemory } from "../../../../src/data/reading/commonMemory";
import { decodeImage, maxImagePixels } from "../../../../src/data/reading/decode";
import { tiffReading } from "../../../../src/data/reading/formats/tiff";
import type { TiffLayout } from "../../../../src/data/reading/formats/tiffDirectory";
import { hereReader, type ImageReader, readingInto } from "../../../../src/data/reading/imageReader";
import { PixelCache } from "../../../../src/data/reading/pixelCache";
import { defaultWorkers, ReadingPool, readerWith } from "../../../../src/data/reading/pool";
import { type PendingRead, ReadingThread } from "../../../../src/data/reading/readingThread";
import { decodePart, decodeWhole, readPart } from "../../../../src/data/reading/readPart";
import * as transforms from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../support";

const painted = (width: number, height: number, channels: 1 | 2 | 3 | 4) =>
  sharp(
    Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 29 + 5) % 256),
    { raw: { width, height, channels } },
  );

// Threads that have nothing to do hold no process open.
const open = setInterval(() => {}, 1000);
after(() => clearInterval(open));

test("decoding by options, names and what is wrong", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const png = await painted(3, 2, 3).png().toBuffer();
  const turned = await painted(3, 2, 3).withMetadata({ orientation: 6 }).png().toBuffer();
  const clear = await painted(3, 2, 4).png().toBuffer();
  const gray = await painted(3, 2, 1).png().toBuffer();
  const palette = await painted(3, 2, 3).png({ palette: true, colors: 4, dither: 0 }).toBuffer();
  const inks = await sharp(Uint8Array.of(10, 200, 77, 100), { raw: { width: 1, height: 1, channels: 4 } })
    .toColorspace("cmyk")
    .tiff()
    .toBuffer();
  const deep = Buffer.from("P5 3 1 65535\n\x00\xff\x01\x00\xfe\xdc", "latin1");
  const path = join(folder, "bild é.png");
  writeFileSync(path, png);
  await calls.does("bytes", () => decodeImage(png));
  await calls.does("a file", () => decodeImage(path));
  await calls.does("a part of other bytes", () =>
    decodeImage(Buffer.concat([Buffer.of(1), png]).subarray(1)),
  );
  await calls.does("with alpha", () => decodeImage(clear));
  await calls.does("gray", () => decodeImage(gray));
  await calls.does("size of a palette", async () => (await decodeImage(palette)).data.length);
  await calls.does("inks", async () => (await decodeImage(inks)).width);
  for (const exif of ["honor", "ignore", undefined] as const)
    await calls.does(`turned, ${exif}`, () => decodeImage(turned, { exif }));
  for (const gray16 of ["clip", "high-byte", undefined] as const)
    await calls.does(`deep, ${gray16}`, () => decodeImage(deep, { gray16 }));
  for (const maxPixels of [6, 5, 1]) {
    await calls.does(`at most ${maxPixels}`, () => decodeImage(png, { maxPixels }));
    await calls.does(`deep, at most ${maxPixels / 2}`, () =>
      decodeImage(deep, { maxPixels: Math.ceil(maxPixels / 2) }),
    );
  }
  for (const options of [
    { exif: "turn" },
    { gray16: 8 },
    { maxPixels: 0 },
    { maxPixels: 1.5 },
    { maxPixels: Number.NaN },
    { size: 3 },
    7,
    null,
  ])
    await calls.does(JSON.stringify(options), () => decodeImage(png, options as never));
  for (const source of [7, null, ["a"], {}])
    await calls.does(JSON.stringify(source), () => decodeImage(source as never));
  await calls.does("nothing", () => decodeImage(new Uint8Array()));
  await calls.does("text", () => decodeImage(Buffer.from("text\n")));
  await calls.does("text of a name", () => decodeImage(Buffer.from("text\n"), {}, "row 3\n"));
  await calls.does("no file", () => decodeImage(join(folder, "none.png")));
  await calls.does("no file of a name", () => decodeImage(join(folder, "none.png"), {}, "row 4"));
  await calls.does("a folder", () => decodeImage(folder));
  await calls.does("cut off", async () => {
    const error = await decodeImage(png.subarray(0, 50)).catch((problem) => problem);
    return [error.code, error.message.slice(0, 40), error.cause instanceof Error];
  });
  for (const code of ["EMFILE", "ENFILE", "ENOMEM", "EACCES"])
    await calls.does(`${code} while it is read`, () => {
      const bytes = Buffer.from("BM");
      const failing = new Proxy(bytes, {
        get: (target, key) => {
          if (key === "byteOffset")
            throw Object.assign(new Error(`${code}: too bad`), { code, syscall: "read" });
          return Reflect.get(target, key, target);
        },
      });
      return decodeImage(failing, {}, "a.bmp");
    });
  calls.note("most pixels", maxImagePixels);
  calls.approve("data/reading/decode");
});

test("how samples of TIFF files are read", async () => {
  const calls = new Calls();
  const base: TiffLayout = {
    photometric: 2,
    bits: [8, 8, 8],
    sampleFormat: 1,
    extra: [],
    compression: 1,
    isPlanar: false,
  };
  const of = (photometric: number, depth: number, count: number, more: Partial<TiffLayout> = {}) =>
    calls.of(tiffReading, { ...base, photometric, bits: Array(count).fill(depth), ...more });
  for (const photometric of [0, 1])
    for (const sampleFormat of [0, 1, 2, 3, 4])
      for (const depth of [1, 2, 4, 8, 12, 16, 32, 64]) await of(photometric, depth, 1, { sampleFormat });
  for (const photometric of [0, 1]) {
    await of(photometric, 8, 2, { extra: [2] });
    await of(photometric, 8, 2, { extra: [1] });
    await of(photometric, 8, 2, { extra: [0] });
    await of(photometric, 16, 2, { extra: [2] });
    await of(photometric, 8, 2, { extra: [2], sampleFormat: 2 });
  }
  for (const depth of [4, 8, 16, 32]) for (const count of [2, 3, 4, 5, 6]) await of(2, depth, count);
  for (const count of [3, 4, 5])
    for (const extra of [[0], [1], [2], [0, 1]]) await of(2, 8, count, { extra });
  await of(2, 16, 4, { extra: [1] });
  await of(2, 8, 3, { sampleFormat: 2 });
  await of(2, 8, 3, { bits: [8, 8, 16], sampleFormat: 0 });
  for (const depth of [1, 2, 4, 8, 16]) await of(3, depth, 1);
  for (const isPlanar of [false, true])
    for (const extra of [[], [0], [1], [2]]) await of(3, 8, 2, { extra, isPlanar });
  await of(3, 8, 1, { sampleFormat: 2 });
  for (const depth of [8, 16]) for (const count of [3, 4, 5, 6]) await of(5, depth, count);
  for (const extra of [[0], [1], [0, 2]]) await of(5, 8, 5, { extra });
  await of(5, 8, 4, { sampleFormat: 2, isPlanar: true });
  for (const compression of [1, 6, 7, 8]) await of(6, 8, 3, { compression });
  await of(6, 8, 4, { compression: 7 });
  for (const photometric of [4, 7, 8, 9, 10, 32803, 32844, 32845, 34892]) await of(photometric, 8, 3);
  for (const compression of [5, 34925, 50000, 50001, 50002, 50003]) await of(2, 8, 3, { compression });
  calls.approve("data/reading/TIFF readings");
});

test("memory of batches, of threads and of decoded images", async () => {
  const calls = new Calls();
  const common = new CommonMemory(3);
  const batchStart = common.region(2).end;
  for (const thread of [0, 1, 2]) calls.note(`region ${thread}`, { ...common.region(thread), memory: "its" });
  calls.note("bytes", common.buffer.byteLength);
  const takes = [5, 16, 17, 1, 0].map((length) => common.take(length)!);
  calls.note(
    "taken",
    takes.map(({ byteOffset, length }) => [byteOffset - batchStart, length]),
  );
  common.giveBack(takes[1]);
  common.giveBack(new Float32Array(3));
  calls.note(
    "after one came back",
    [17, 16, 1].map((length) => common.take(length)!.byteOffset - batchStart),
  );
  calls.note(
    "too many",
    [2 ** 28, 2 ** 28 - 96].map((length) => common.take(length)?.length),
  );

  const image = (bytes: number) => ({ data: new Uint8Array(bytes), width: 1, height: 1 });
  const cache = new PixelCache(10);
  const state = (what: string) =>
    calls.note(what, [
      cache.bytes,
      cache.hasRoom,
      ["a", "b", "c"].map((name) => cache.peek(name)?.data.length),
    ]);
  state("an empty cache");
  cache.put("a", image(6));
  state("with one");
  cache.put("a", image(3));
  state("with the same again");
  cache.put("b", image(5));
  state("with too large a one");
  cache.put("c", image(4));
  state("with one that fills it");
  calls.note("options", [new PixelCache(1).options, new PixelCache(0).hasRoom, new PixelCache(1).hasRoom]);

  for (const isBytes of [false, true])
    for (const reuse of [1, 2, Number.POSITIVE_INFINITY]) {
      const [given, back] = [[] as Float32Array[], [] as Float32Array[]];
      const reader: ImageReader = {
        read: () => Promise.reject(new Error("nothing is read")),
        take: (length) => (given.length === 2 ? undefined : given[given.push(new Float32Array(length)) - 1]),
        giveBack: (numbers) => void back.push(numbers),
      };
      const memory = new BatchMemory(reader, 7, reuse, isBytes);
      const buffers: ArrayBufferLike[] = [];
      const steps = [7, 3, 7, 7].map((length) => {
        memory.takeBack();
        const planes = memory.take(length);
        memory.handOut(planes);
        if (!buffers.includes(planes.buffer)) buffers.push(planes.buffer);
        return `${planes.constructor.name} ${planes.length} in ${buffers.indexOf(planes.buffer)} of ${planes.buffer.byteLength}`;
      });
      calls.note(`${isBytes ? "bytes" : "numbers"} with ${reuse} out`, steps);
      const unreadable = Promise.reject(new Error("unreadable"));
      // Whoever reads it is told; the memory only waits.
      unreadable.catch(() => {});
      memory.writtenBy([unreadable, Promise.resolve()]);
      await memory.close();
      calls.note("  given and back", [
        given.map(({ length }) => length),
        back.map((one) => given.indexOf(one)),
      ]);
    }
  const without = new BatchMemory({ read: () => Promise.reject(new Error("no")) }, 3, 1, false);
  calls.note("of a reader without memory", without.take(2));
  await without.close();
  calls.approve("data/reading/memories");
});

test("reading here and by parts", async () => {
  const calls = new Calls();
  const png = await painted(9, 7, 3).png().toBuffer();
  const jpeg = await sharp({
    create: { width: 40, height: 24, channels: 3, background: { r: 200, g: 30, b: 90 } },
  })
    .jpeg()
    .toBuffer();
  const cache = () => new PixelCache(1000);
  const job = (more = {}) => ({
    ...{
      path: "row 3",
      stored: async () => png,
      cache: cache(),
      transform: transforms.none(7),
      rng: new Rng(3),
    },
    ...more,
  });
  const transform = transforms.evaluation(7, { cropRatio: 1 });
  await calls.does("an image of another size", () => hereReader.read(job()));
  await calls.does("an image, its length", async () => (await hereReader.read(job({ transform }))).length);
  await calls.does("into a place", async () => {
    const into = new Float32Array(147);
    const found = await hereReader.read(job({ transform, into }));
    return [found === into, into.some((value) => value !== 0)];
  });
  await calls.does("bytes into a place", async () => {
    const into = new Uint8Array(147);
    const found: unknown = await hereReader.read(job({ transform, into }));
    return [found === into, into.some((value) => value !== 0)];
  });
  for (const when of ["before", "while it is read", "after"])
    await calls.does(`aborted ${when}`, async () => {
      const stop = new AbortController();
      const one = job({
        transform,
        signal: stop.signal,
        stored: async () => {
          if (when === "while it is read") stop.abort();
          return png;
        },
      });
      if (when === "before") stop.abort();
      const found = await hereReader.read(one);
      stop.abort();
      return found.length;
    });
  const read = readingInto(
    { read: async (one) => one.into as Float32Array },
    new Float32Array([1, 2]),
    AbortSignal.abort(),
  );
  await calls.does("readingInto", () => read.read(job()));
  const source = { name: "row 5", content: new Uint8Array(jpeg) };
  await calls.does("a part", () => decodePart(jpeg, { left: 3, top: 2, width: 2, height: 3 }));
  await calls.does("a part of another file", () => decodePart(png, { left: 0, top: 0, width: 1, height: 1 }));
  await calls.does("a part of broken bytes", () =>
    decodePart(jpeg.subarray(0, 40), { left: 0, top: 0, width: 1, height: 1 }),
  );
  await calls.does("whole", () => decodeWhole(source, {}));
  await calls.does("whole, too large", () => decodeWhole(source, { maxPixels: 959 }));
  await calls.does(
    "whole, just allowed",
    async () => (await decodeWhole(source, { maxPixels: 960 })).data.length,
  );
  await calls.does("whole, no image", () => decodeWhole({ ...source, content: Buffer.from("text") }, {}));
  const turned = new Uint8Array(await sharp(jpeg).withMetadata({ orientation: 6 }).jpeg().toBuffer());
  for (const exif of ["honor", "ignore", undefined] as const)
    await calls.does(`turned, ${exif}`, async () => {
      const { width, height } = await decodeWhole({ ...source, content: turned }, { exif });
      return [width, height];
    });
  for (const isBytes of [false, true])
    await calls.does(`readPart of ${isBytes ? "bytes" : "numbers"}`, async () => {
      const memory = new PixelMemory(4 * 48 * 2);
      const place = { memory, address: 64, length: 48, isBytes };
      await readPart(source, {}, transforms.evaluation(4).steps, 3, place);
      return isBytes ? memory.bytes(64, 48) : memory.floats(64, 48);
    });
  calls.approve("data/reading/reading");
});

test("threads, what they are asked and what they answer", async () => {
  const calls = new Calls();
  const png = new Uint8Array(await painted(8, 8, 3).png().toBuffer());
  const events: string[] = [];
  let nextId = 0;
  const thread = new ReadingThread(
    0,
    undefined,
    () => events.push("free"),
    (reason, left) => events.push(`lost: ${reason}, ${left.length} left`),
  );
  const send = (
    stored: Uint8Array | string,
    more: Partial<PendingRead["request"]> = {},
    into: Float32Array | Uint8Array = new Float32Array(192),
  ) =>
    new Promise<unknown>((resolve, reject) =>
      thread.send({
        request: {
          id: nextId++,
          path: "row 1",
          stored,
          decode: {},
          keep: false,
          spec: transforms.none(8).spec,
          seed: 3,
          ...more,
        },
        ...{ into, losses: 0, reject },
        resolve: ({ done, pixels, memory }) => resolve([done, memory && "memory", pixels?.width, into]),
      }),
    );
  const load = () => [thread.load, thread.hasRoom, events.splice(0).join()];
  calls.note("a new thread", load());
  calls.note("an image", await send(png));
  await calls.once("an image again, in bytes", () => send(png, {}, new Uint8Array(192)));
  await calls.once("an image to be kept", () => send(png, { keep: true }));
  await calls.once("pixels", () =>
    send("", { pixels: { data: new Uint8Array(192).fill(7), width: 8, height: 8 } }),
  );
  calls.note("has told", load());
  for (let round = 0; round < 2; round++) {
    const broken = Promise.allSettled(Array.from({ length: 8 }, () => send(Buffer.from("text"))));
    calls.note("with eight", load());
    calls.note(
      "come to",
      new Set(
        (await broken).map((end) =>
          end.status === "rejected" ? `${end.reason.code} ${end.reason.message}` : "done",
        ),
      ),
    );
    calls.note("then", load());
  }
  await calls.once("another size", () => send(png, { spec: transforms.none(9).spec }));
  await calls.once("an unknown transform", () => send(png, { spec: { kind: "none", size: "x" } as never }));
  await calls.once("no file", () => send("/nowhere/at.png", { path: "at" }));
  await calls.once("a good one", async () => Array.isArray(await send(png)));
  calls.note("at last", load());
  const left = send(png);
  await thread.close();
  calls.note("closed, with one that is never answered", [
    await Promise.race([left, Promise.resolve("waiting")]),
    events.splice(0),
  ]);

  const noise: ImageTransform = {
    name: "own",
    size: 2,
    apply: (image) => Float32Array.of(image.width, image.height),
  };
  const pool = new ReadingPool(1);
  const pixels = new PixelCache(1000);
  const job = {
    path: "a",
    stored: async () => png,
    cache: pixels,
    transform: transforms.none(8),
    rng: new Rng(1),
  };
  calls.note("a pool", (await pool.read(job)).length);
  calls.note("its cache", pixels.bytes);
  await calls.once(
    "from the cache",
    async () => (await pool.read({ ...job, stored: () => Promise.reject(new Error("asked")) })).length,
  );
  await calls.once("another maker's transform", () => pool.read({ ...job, transform: noise }));
  await calls.once("what cannot be had", () =>
    pool.read({ ...job, path: "b", stored: () => Promise.reject(new Error("asked")) }),
  );
  for (let i = 0; i < 20; i++)
    await pool.read({ ...job, path: "c", stored: async () => Buffer.from("text") }).catch(() => {});
  await calls.once("after twenty bad ones", async () => (await pool.read({ ...job, path: "d" })).length);
  await calls.once("an aborted one", () => pool.read({ ...job, signal: AbortSignal.abort() }));
  await calls.once("room", () => {
    const room = pool.take(5)!;
    pool.giveBack(room);
    return [room.length, pool.take(5)!.byteOffset === room.byteOffset];
  });
  await pool.close();
  calls.note("closed and asked again", (await pool.read(job)).length);
  await pool.close();
  calls.note("small samples", [1, 32, 96].map(defaultWorkers));
  calls.note("readers", [
    readerWith(0) === hereReader,
    [1, 2].map(() => readerWith(2)).every((one) => one === readerWith(2)),
    readerWith(2) === readerWith(3),
  ]);
  calls.note("size", (readerWith(3) as ReadingPool).size);
  calls.approve("data/reading/threads");
});
