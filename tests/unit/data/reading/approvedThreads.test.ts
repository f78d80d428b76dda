import { after, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import type { ImageTransform } from "../../../../src/data/imageTransform";
import { BatchMemory } from "../../../../src/data/reading/batchMemory";
import { CommonMemory } from "../../../../src/data/reading/commonMemory";
import { hereReader, type ImageReader } from "../../../../src/data/reading/imageReader";
import { PixelCache } from "../../../../src/data/reading/pixelCache";
import { defaultWorkers, ReadingPool, readerWith } from "../../../../src/data/reading/pool";
import { type PendingRead, ReadingThread } from "../../../../src/data/reading/readingThread";
import * as transforms from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { painted } from "./support";

// Threads that have nothing to do hold no process open.
const open = setInterval(() => {}, 1000);
after(() => clearInterval(open));

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
      const failing = Promise.reject(new Error("unreadable"));
      failing.catch(() => {});
      memory.writtenBy([failing, Promise.resolve()]);
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
  let puts = 0;
  const full = Object.assign(new PixelCache(0), { put: () => void puts++ });
  await pool.read({ ...job, path: "e", cache: full });
  calls.note("images sent back for a cache without room", puts);
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
